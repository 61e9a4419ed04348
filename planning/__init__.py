"""Roadmaps and planners that repair their tree when the world changes."""

from planning.dstar_lite import DStarLite
from planning.fmt_star import FMTStar
from planning.fmtx import FMTx
from planning.result import Path, PathStatus, Update, UpdateStatus
from planning.roadmap import Roadmap
from planning.rrtx import RRTx
from planning.scratch import Scratch
from planning.warmup import warm_up

__all__ = [
    "DStarLite",
    "FMTStar",
    "FMTx",
    "Path",
    "PathStatus",
    "RRTx",
    "Roadmap",
    "Scratch",
    "Update",
    "UpdateStatus",
    "warm_up",
]
