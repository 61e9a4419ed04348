"""Roadmaps and planners that repair their tree when the world changes."""

from planning.fmtx import FMTx
from planning.result import Path, PathStatus, Update, UpdateStatus
from planning.roadmap import Roadmap
from planning.scratch import Scratch
from planning.warmup import warm_up

__all__ = [
    "FMTx",
    "Path",
    "PathStatus",
    "Roadmap",
    "Scratch",
    "Update",
    "UpdateStatus",
    "warm_up",
]
