"""Compiling ahead of time what a robot must not wait for."""

from __future__ import annotations

from typing import Any

import numpy as np

from planning._planner import Planner
from planning.dstar_lite import DStarLite
from planning.fmt_star import FMTStar
from planning.fmtx import FMTx
from planning.roadmap import Roadmap
from planning.rrtx import RRTx
from planning.scratch import Scratch
from planning.smoothing import smooth
from problems.worlds import BoxWorld, DiscWorld, OccupancyGrid, Union


def warm_up(*, everything: bool = False) -> None:
    """Run compiled code once, on discs and grids of a few metres.

    To be called at start-up. In a fresh installation this compiles; afterwards the compiled code
    lies in numba's cache and is loaded. ``python -m experiments startup`` times both.

    Parameters
    ----------
    everything : bool, default=False
        FMTStar, RRTx and DStarLite too, and worlds of boxes, polygons and unions; by default FMTx,
        Scratch and ``smooth`` on discs and grids.

    Examples
    --------
    >>> from planning import warm_up
    >>> warm_up()
    """
    discs = DiscWorld(((0, 4), (0, 4)))
    disc = discs.add((2.0, 2.0), 0.5)
    grid = OccupancyGrid.from_array(np.zeros((20, 20), np.int8), 0.2)
    grid.update_window(9, 9, [[100, 100]])
    grid.is_free([(1.0, 1.0)])
    grid.is_motion_free([(1.0, 1.0)], [(2.0, 1.0)])
    worlds: list[Any] = [discs, grid]
    if everything:
        boxes = BoxWorld(((0, 4), (0, 4)))
        boxes.add((2.0, 3.0), (0.5, 0.5))
        worlds.append(Union(discs, boxes))
    for world in worlds:
        roadmap = Roadmap.sample(world, 60, 0)
        planners: list[Planner] = [
            FMTx(world, roadmap),
            FMTx(world, roadmap, collision="lazy", approximate=True),
            FMTx(world, roadmap, collision="proactive", hysteresis=0.1, escape=0.1),
            FMTx(world, roadmap, faithful=True),
            Scratch(world, roadmap),
        ]
        if everything:
            planners += [rival(world, roadmap) for rival in (FMTStar, RRTx, DStarLite)]
        for planner in planners:
            planner.set_goal([(3.5, 3.5), (3.5, 0.5)])
            smooth(planner.plan((0.5, 0.5), time_limit=1.0), world, clearance=0.1)
        for _ in range(2):
            if world is grid:
                grid.update_window(14, 14, 100 - grid.values[14:20, 14:20])
            else:
                discs.move(disc, discs.discs[disc][0] + 0.1)
            for planner in planners:
                planner.update()
                planner.plan((0.6, 0.5))
                planner.path((1.0, 3.0))
        discs.add((3.5, 3.5), 0.2)
        for planner in planners:
            if isinstance(planner, FMTx):
                planner.densify(5)
        planners[1].set_goal((3.5, 3.5))
        planners[1].plan((0.5, 0.5))
