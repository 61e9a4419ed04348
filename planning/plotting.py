"""Pictures of worlds, trees and paths; matplotlib is imported when the first one is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from planning.fmtx import FMTx
from planning.result import Path
from problems.worlds.arrays import GRID, World, WorldArrays

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OBSTACLE, INFLATED, UNKNOWN = "#2b2d31", "#d9dade", "#b9c4cf"
PATH_COLOR, START_COLOR, GOAL_COLOR = "#c8102e", "#0b7a75", "#f2a900"


def _axes(ax: Axes | None) -> Axes:
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(10, 6), layout="constrained")[1] if ax is None else ax


def plot_world(world: World, ax: Axes | None = None) -> Axes:
    """Draw what can be hit: grids with the robot's radius in a lighter shade, discs grown by it.

    Parameters
    ----------
    world : World
        Two-dimensional.
    ax : matplotlib.axes.Axes, default=None
        A new figure's when None.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the world is not two-dimensional.
    """
    if world.dimension != 2:
        raise ValueError(f"world must be two-dimensional to be drawn, got {world.dimension}.")
    ax = _axes(ax)
    arrays = world.arrays()
    (left, right), (bottom, top) = world.bounds
    if arrays.kind == GRID:
        _draw_grid(world, ax)
    else:
        _draw_shapes(arrays, ax)
    ax.set(xlim=(left, right), ylim=(bottom, top), aspect="equal", xlabel="x (m)", ylabel="y (m)")
    return ax


def draw_cells(cells: np.ndarray, frame: np.ndarray, ax: Axes, **style: Any) -> None:
    """Draw a picture of cells, (rows, cols) or (rows, cols, 3), where a grid's ``frame`` has it."""
    from matplotlib.transforms import Affine2D

    x, y, resolution, _, cos, sin = frame
    rows, cols = cells.shape[:2]
    place = Affine2D.from_values(cos, sin, -sin, cos, x, y) + ax.transData
    extent = (0.0, cols * resolution, 0.0, rows * resolution)
    ax.imshow(cells, origin="lower", extent=extent, transform=place, **style)


def _draw_grid(world: Any, ax: Axes) -> None:
    from matplotlib.colors import to_rgb

    values, arrays = world.values, world.arrays()
    blocked = arrays.blocked
    picture = np.ones((*values.shape, 3))
    picture[blocked == 1] = to_rgb(INFLATED)
    picture[values < 0] = to_rgb(UNKNOWN)
    picture[values >= 65] = to_rgb(OBSTACLE)
    draw_cells(picture, arrays.frame, ax, interpolation="nearest", zorder=0)


def _draw_shapes(arrays: WorldArrays, ax: Axes) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Circle, PathPatch, Rectangle
    from matplotlib.path import Path as Outline

    if arrays.blocked.size:
        shades = ListedColormap(["white", OBSTACLE])
        draw_cells(arrays.blocked, arrays.frame, ax, cmap=shades, vmin=0, vmax=1)
    patches: list[Any] = [Circle((x, y), radius) for x, y, radius in arrays.discs]
    for x, y, half_x, half_y, cos, sin, _ in arrays.shapes.boxes:
        turn = {"angle": np.degrees(np.arctan2(sin, cos)), "rotation_point": "center"}
        patches.append(Rectangle((x - half_x, y - half_y), 2 * half_x, 2 * half_y, **turn))
    shapes = arrays.shapes
    for first, last, outline in zip(
        shapes.edge_ptr, shapes.edge_ptr[1:], shapes.outlines, strict=False
    ):
        edges = shapes.edges[first:last]
        corners, codes = edges.reshape(-1, 2), np.full((len(edges), 2), Outline.LINETO)
        codes[0, 0] = Outline.MOVETO
        apart = (edges[1:, :2] != edges[:-1, 2:]).any(axis=1)
        codes[1:, 0][apart] = Outline.MOVETO
        path = Outline(corners, codes.ravel())
        if outline[5]:
            patches.append(PathPatch(path))
        else:
            ax.add_patch(PathPatch(path, fill=False, edgecolor=OBSTACLE, linewidth=2.0))
    ax.add_collection(PatchCollection(patches, facecolor=OBSTACLE, edgecolor="none"))


def plot_tree(planner: FMTx, ax: Axes | None = None, *, colorbar: bool = True) -> Axes:
    """Draw the tree's edges, coloured by the cost to the goal in metres.

    Only settled vertices are drawn: with ``focus=True`` those that can matter to the robot.
    """
    from matplotlib.collections import LineCollection

    ax = _axes(ax)
    points, parents, cost = planner.roadmap.points, planner.parents, planner.cost_to_goal
    child = np.flatnonzero((parents >= 0) & np.isfinite(cost))
    segments = np.stack([points[child], points[parents[child]]], axis=1)
    lines = LineCollection(list(segments), array=cost[child], cmap="viridis", linewidths=0.7)
    ax.add_collection(lines)
    if colorbar and len(child):
        ax.figure.colorbar(lines, ax=ax, label="cost to the goal (m)", shrink=0.85, pad=0.02)
    return ax


def plot_path(path: Path, ax: Axes | None = None, *, label: str | None = None) -> Axes:
    """Draw a path with its start and its end; nothing when there is none."""
    ax = _axes(ax)
    if len(path.waypoints):
        x, y = path.waypoints.T
        name = f"path, {path.cost:.1f} m" if label is None else label
        ax.plot(x, y, color="white", linewidth=5.0, zorder=4)
        ax.plot(x, y, color=PATH_COLOR, linewidth=2.5, label=name, zorder=5)
        style: dict[str, Any] = {"linestyle": "none", "markeredgecolor": "white", "zorder": 6}
        ax.plot(x[0], y[0], "o", color=START_COLOR, markersize=11, label="robot", **style)
        ax.plot(x[-1], y[-1], "*", color=GOAL_COLOR, markersize=18, label="goal", **style)
    return ax


def plot(planner: FMTx, path: Path | None = None, ax: Axes | None = None) -> Axes:
    """Draw a planner's world, its tree and, if given, a path.

    Parameters
    ----------
    planner : FMTx
    path : Path, default=None
    ax : matplotlib.axes.Axes, default=None
        A new figure's when None.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = plot_tree(planner, plot_world(planner.world, ax))
    if path is not None:
        plot_path(path, ax)
        ax.legend(loc="upper left", bbox_to_anchor=(0.0, 1.08), ncols=3, frameon=False)
    return ax
