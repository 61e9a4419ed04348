"""The planning demo's pictures: the tree, and the drive as an animation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from planning.plotting import (
    GOAL_COLOR,
    INFLATED,
    OBSTACLE,
    PATH_COLOR,
    START_COLOR,
    UNKNOWN,
    draw_cells,
    plot,
)

if TYPE_CHECKING:
    from experiments.demo_planning import Drive

FRAME_MS = 90
PERSON_COLOR, SCRATCH_COLOR = "#6a4c93", "#3b6ea5"
COLORS = 128  # of the animation's palette


def known_bounds(grid, margin: float = 1.0) -> np.ndarray:
    """Bounds (2, 2), metres, of the known cells, so that a small room fills the picture."""
    known = np.argwhere(grid.values >= 0)
    if len(known) == 0:
        return grid.bounds
    (first_row, first_col), (last_row, last_col) = known.min(axis=0), known.max(axis=0)
    corners = grid.center_of(
        [(row, col) for row in (first_row, last_row) for col in (first_col, last_col)]
    )
    low, high = corners.min(axis=0) - margin, corners.max(axis=0) + margin
    return np.clip(np.column_stack([low, high]), grid.bounds[:, :1], grid.bounds[:, 1:])


def figure_size(grid_bounds, width: float = 10.0) -> tuple[float, float]:
    """Figure size, inches, that fits a map of these bounds."""
    extent = np.diff(grid_bounds, axis=1)[:, 0]
    return width, float(np.clip(width * extent[1] / extent[0], 4.0, 11.0))


def draw_tree(planner, path, file: Path) -> None:
    """Draw the whole tree, coloured by cost, and the first path."""
    import matplotlib.pyplot as plt

    bounds = known_bounds(planner.world)
    width, height = figure_size(bounds)
    figure, ax = plt.subplots(figsize=(width, height + 0.6), layout="constrained")
    plot(planner, path, ax)
    ax.set(xlim=bounds[0], ylim=bounds[1])
    figure.savefig(file, dpi=120)
    plt.close(figure)


def draw_drive(record: Drive, file: Path) -> None:
    """Animate the drive: the map above, the time of each repair below."""
    import matplotlib.pyplot as plt

    width, height = figure_size(known_bounds(record.grid), 8.6)
    figure, (ax, clock) = plt.subplots(
        2,
        1,
        figsize=(width, height + 1.6),
        height_ratios=[height, 1.4],
        layout="constrained",
        dpi=85,
    )
    moving = _draw_stage(record, ax)
    bars = _draw_clock(record, clock)
    artists = [*moving.values(), *(line for line, _ in bars)]
    for artist in artists:
        artist.set_animated(True)
    figure.canvas.draw()  # all that stands still, once
    still = figure.canvas.copy_from_bbox(figure.bbox)
    frames = []
    for k in range(len(record.ticks)):
        _set_tick(record, k, moving, bars)
        figure.canvas.restore_region(still)
        for artist in artists:
            artist.axes.draw_artist(artist)
        pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]
        frames.append(Image.fromarray(pixels.copy()))
    plt.close(figure)
    palette = frames[len(frames) // 2].quantize(COLORS, Image.Quantize.MAXCOVERAGE)
    paletted = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    hold = [FRAME_MS] * (len(frames) - 1) + [1500]
    paletted[0].save(file, save_all=True, append_images=paletted[1:], duration=hold, loop=0)


def _draw_stage(record: Drive, ax) -> dict:
    from matplotlib.collections import EllipseCollection
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Rectangle

    grid = record.grid
    picture = np.ones((*record.still.shape, 3))
    picture[record.still < 0] = to_rgb(UNKNOWN)
    picture[record.still >= 65] = to_rgb(OBSTACLE)
    draw_cells(picture, grid.arrays().frame, ax, zorder=0)
    shown = known_bounds(grid)
    ax.set(xlim=shown[0], ylim=shown[1], aspect="equal", xlabel="x (m)", ylabel="y (m)")
    robot = record.ticks[0].robot
    artists: dict = {}
    (artists["trail"],) = ax.plot([], [], color=INFLATED, linewidth=3, label="driven")
    (artists["path"],) = ax.plot([], [], color=PATH_COLOR, linewidth=2.2, label="path")
    people = record.ticks[0].people
    artists["people"] = EllipseCollection(
        [0.6] * len(people),
        [0.6] * len(people),
        [0] * len(people),
        units="x",
        offsets=people,
        offset_transform=ax.transData,
        facecolor=PERSON_COLOR,
        zorder=4,
    )
    ax.add_collection(artists["people"])
    marker = {"linestyle": "none", "markeredgecolor": "white", "zorder": 6}
    (artists["robot"],) = ax.plot(
        *robot[:, None], "o", color=START_COLOR, markersize=9, label="robot", **marker
    )
    ax.plot(*record.goal[:, None], "*", color=GOAL_COLOR, markersize=15, label="goal", **marker)
    if record.door is not None:
        row, col, height, width = record.door
        corner = grid.center_of([(row - 0.5, col - 0.5)])[0]
        artists["door"] = Rectangle(
            (corner[0], corner[1]),
            width * grid.resolution,
            height * grid.resolution,
            angle=np.degrees(grid.yaw),
            color="#e4572e",
            zorder=5,
            label="shut door",
        )
        ax.add_patch(artists["door"])
    ax.plot([], [], "o", color=PERSON_COLOR, linestyle="none", label="people")
    ax.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=6, frameon=False, handlelength=1.2
    )
    return artists


def _draw_clock(record: Drive, clock) -> list:
    ticks = np.arange(len(record.ticks))
    lines = []
    for name, color, label in (
        ("scratch_s", SCRATCH_COLOR, "starting over"),
        ("fmtx_s", PATH_COLOR, "FMTx, repaired"),
    ):
        values = 1e3 * np.array([getattr(tick, name) for tick in record.ticks])
        clock.plot(ticks, values, color=color, alpha=0.18)
        (line,) = clock.plot([], [], color=color, label=f"{label} ({np.median(values):.1f} ms)")
        lines.append((line, values))
    highest = max(values.max() for _, values in lines)
    clock.set(
        xlabel="tick",
        ylabel="time to answer (ms)",
        xlim=(0, max(len(ticks) - 1, 1)),
        ylim=(0, 1.9 * highest),  # the legend has room above the lines
    )
    clock.grid(alpha=0.3)
    clock.legend(loc="upper right", ncols=2, frameon=False, title="median", fontsize=8)
    return lines


def _set_tick(record: Drive, k: int, moving: dict, lines: list) -> None:
    tick = record.ticks[k]
    driven = np.array([earlier.robot for earlier in record.ticks[: k + 1]])
    moving["trail"].set_data(*driven.T)
    moving["path"].set_data(*(tick.path.waypoints.T if len(tick.path.waypoints) else ([], [])))
    moving["people"].set_offsets(tick.people)
    moving["robot"].set_data(*tick.robot[:, None])
    if "door" in moving:
        moving["door"].set_visible(tick.door_shut)
    for line, values in lines:
        line.set_data(np.arange(k + 1), values[: k + 1])
