"""Worlds that may be copied and pickled, planners with them: each copy gets a lock of its own."""

from __future__ import annotations

import copy
import threading
from typing import Any


class Copyable:
    """What is changed under a lock, and copied as it was at one time."""

    _lock: Any  # threading.RLock is no type before Python 3.13

    def __getstate__(self) -> dict[str, Any]:
        with self._lock:
            state = {name: value for name, value in self.__dict__.items() if name != "_lock"}
            return copy.deepcopy(state)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__dict__["_bounds"].flags.writeable = False  # copies of arrays forget that
        self._lock = threading.RLock()
