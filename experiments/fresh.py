"""Fresh processes, for what the first calls in them take."""

import os
import subprocess
import sys
from pathlib import Path


def environment(folder: Path, cache: str = "compiled") -> dict[str, str]:
    """Return the environment of a process that keeps compiled code in a ``cache`` of ``folder``.

    Python's own bytecode is kept in ``folder`` too: after an installation by pip it is at hand.
    """
    found = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    found.pop("PYTHONDONTWRITEBYTECODE", None)
    places = {"PYTHONPYCACHEPREFIX": folder / "bytecode", "NUMBA_CACHE_DIR": folder / cache}
    return found | {name: str(place) for name, place in places.items()}


def command(code: str) -> list[str]:
    """Return the command that runs ``code`` in a fresh process."""
    return [sys.executable, "-W", "ignore", "-c", code]


def answers(code: str, variables: dict[str, str]) -> list[float]:
    """Return the numbers that ``code`` prints in a fresh process."""
    done = subprocess.run(command(code), env=variables, capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]
