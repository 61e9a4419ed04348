"""Films of a planner at work, as GIF or MP4; matplotlib is imported when the first one is made."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path as File
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from planning._planner import Planner
from planning.plotting import PATH_COLOR, START_COLOR, plot_path, plot_tree, plot_world
from planning.result import Path


def animate(
    planner: Planner,
    step: Callable[[int, Path | None], ArrayLike | None],
    file: str | PathLike,
    *,
    n_frames: int = 100,
    fps: int = 10,
    tree: bool = False,
) -> list[Path]:
    """Let a world change and a robot drive, and film it.

    Parameters
    ----------
    planner : Planner
        With a goal; in two dimensions. With ``tree`` an ``FMTx``.
    step : callable
        ``step(frame, path)`` changes the world as it likes and returns where the robot is now, or
        None to end the film; ``path`` is the last one planned, None at first.
    file : path
        Ends in ``.gif``, or in ``.mp4`` where ffmpeg is installed.
    n_frames : int, default=100
        At most.
    fps : int, default=10
        Frames a second.
    tree : bool, default=False
        Draw the tree too.

    Returns
    -------
    list of Path
        What was planned in each frame.

    Raises
    ------
    ValueError
        If the file ends otherwise, ffmpeg is missing, or a number is not positive.
    """
    import matplotlib.pyplot as plt
    from matplotlib.animation import writers

    target = File(file)
    writer_name = {".gif": "pillow", ".mp4": "ffmpeg"}.get(target.suffix.lower())
    if writer_name is None:
        raise ValueError(f"file must end in .gif or .mp4, got {target.name}.")
    if not writers.is_available(writer_name):
        raise ValueError(f"file must end in .gif where ffmpeg is missing, got {target.name}.")
    if n_frames < 1 or fps < 1:
        raise ValueError(f"n_frames and fps must be positive, got {n_frames} and {fps}.")
    figure, ax = plt.subplots(figsize=(7.2, 6.4), layout="constrained")
    writer: Any = writers[writer_name](fps=fps)
    paths: list[Path] = []
    driven = []
    try:
        with writer.saving(figure, str(target), dpi=80):
            for frame in range(n_frames):
                robot = step(frame, paths[-1] if paths else None)
                if robot is None:
                    break
                paths.append(planner.plan(robot))
                driven.append(np.asarray(robot, dtype=np.float64))
                ax.clear()
                plot_world(planner.world, ax)
                if tree:
                    plot_tree(planner, ax, colorbar=False)  # type: ignore[arg-type]
                trail = list(zip(*driven, strict=True))
                ax.plot(trail[0], trail[1], color=PATH_COLOR, alpha=0.35, linewidth=3)
                ax.plot(*driven[-1], "o", color=START_COLOR, markersize=10, zorder=6)
                plot_path(paths[-1], ax)
                ax.set_title(f"frame {frame}: {paths[-1].status.name}, {paths[-1].cost:.1f} m")
                writer.grab_frame()
    finally:
        plt.close(figure)
    return paths
