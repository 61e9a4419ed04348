"""A live view of a planner through rerun (``pip install southwell[live]``)."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np

from planning._planner import Planner
from planning.result import Path


class LiveView:
    """Show a planner's world and paths in rerun's viewer while a robot drives.

    Parameters
    ----------
    planner : Planner
        In two or three dimensions.
    file : path, optional
        Write a recording (``.rrd``) instead of opening the viewer.

    Raises
    ------
    ImportError
        If rerun is not installed.
    ValueError
        If the world has other than two or three dimensions.
    """

    def __init__(self, planner: Planner, *, file: str | PathLike | None = None) -> None:
        try:
            import rerun
        except ImportError as error:
            raise ImportError(
                "the live view needs rerun, which is not installed: pip install southwell[live]"
            ) from error
        if planner.world.dimension not in (2, 3):
            raise ValueError(
                f"planner must plan in 2 or 3 dimensions, got {planner.world.dimension}."
            )
        self._rerun: Any = rerun
        self._planner = planner
        self._tick = 0
        self._recording = rerun.RecordingStream("southwell")
        if file is None:
            self._recording.spawn()
        else:
            self._recording.save(str(file))

    def show(self, path: Path) -> None:
        """Show the world as it is now, a path in it, and how long the last repair took."""
        view, log = self._rerun, self._recording.log
        self._recording.set_time("tick", sequence=self._tick)
        self._tick += 1
        flat = self._planner.world.dimension == 2
        points, strips = (
            (view.Points2D, view.LineStrips2D) if flat else (view.Points3D, view.LineStrips3D)
        )
        arrays = self._planner.world.arrays()
        discs, edges = arrays.discs, arrays.shapes.edges
        log("world/discs", points(discs[:, :-1], radii=discs[:, -1]))
        log("world/edges", strips(edges.reshape(-1, 2, 2) if flat else []))
        log("world/boxes", strips(box_outlines(arrays.shapes.boxes, 2 if flat else 3)))
        if arrays.blocked.size:
            x, y, resolution, _, cos, sin = arrays.frame
            own = (np.argwhere(arrays.blocked)[:, ::-1] + 0.5) * resolution
            cells = (x, y) + own @ np.array([[cos, sin], [-sin, cos]])
            log("world/cells", points(cells, radii=0.5 * resolution))
        log("path", strips([path.waypoints] if len(path.waypoints) else []))
        log("path/status", view.TextLog(f"{path.status.name}: {path.message}"))
        log("repair/ms", view.Scalars(1e3 * self._planner.last_update.elapsed_s))

    def close(self) -> None:
        """Write what is left to write."""
        self._recording.flush()
        self._recording.disconnect()


def box_outlines(boxes: np.ndarray, dimension: int) -> list[np.ndarray]:
    """Return the outline of each box of a snapshot; in 3 dimensions those of bottom and top."""
    ring = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)], dtype=float)
    outlines = []
    for box in boxes:
        center, half = box[:dimension], box[dimension : 2 * dimension]
        corners = ring * half[:2]
        if dimension == 2:
            cos, sin = box[4:6]
            outlines.append(center + corners @ np.array([[cos, sin], [-sin, cos]]))
            continue
        for side in (-1.0, 1.0):
            level = np.full((5, 1), side * half[2])
            outlines.append(center + np.hstack((corners, level)))
    return outlines
