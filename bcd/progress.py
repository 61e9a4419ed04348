"""Progress of a run, for those who asked to see it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

LOGGER = logging.getLogger("southwell")


class ProgressBar:
    """A callback that shows how many digits of the duality gap are reached.

    A tqdm bar where tqdm is installed, else a line a step in the log ``southwell`` (level INFO).

    Parameters
    ----------
    name : str
    tol : float
        The gap that is asked for, in units of the objective.
    """

    def __init__(self, name: str, tol: float):
        self.name, self.tol, self.first = name, max(tol, 1e-300), 0.0
        self.bar = None
        try:
            from tqdm.auto import tqdm
        except ImportError:
            return
        self.bar = tqdm(total=100, desc=name, unit="%", leave=True)

    def __call__(self, progress) -> None:
        """Show a step."""
        gap = max(progress.gap, self.tol)
        self.first = self.first or max(gap, 10.0 * self.tol)
        if self.bar is None:
            LOGGER.info(
                "%s: step %d, objective %.6g, duality gap %.3g (tolerance %.3g)",
                self.name,
                progress.n_iter,
                progress.objective,
                progress.gap,
                self.tol,
            )
            return
        done = 100.0 * math.log(self.first / gap) / math.log(self.first / self.tol)
        self.bar.n = max(self.bar.n, min(100, int(done)))
        self.bar.set_postfix(step=progress.n_iter, gap=f"{progress.gap:.2e}")

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self.bar is not None:
            self.bar.close()


@contextmanager
def reporting(name: str, tol: float, verbose, callback) -> Iterator[Callable | None]:
    """Give the callback that a solver is to call: the user's, behind a progress bar if asked.

    Parameters
    ----------
    name : str
        Shown beside the bar.
    tol : float
        The gap that is asked for, in units of the objective.
    verbose : bool or int
        Whether to show a bar.
    callback : callable or None
        A true answer of it stops the run.
    """
    if not verbose:
        yield callback
        return
    bar = ProgressBar(name, tol)

    def report(progress):
        bar(progress)
        return callback(progress) if callback is not None else None

    try:
        yield report
    finally:
        bar.close()


def counted(results: Iterable, total: int, name: str, verbose) -> list:
    """Collect results as they come, showing how many there are of ``total`` if asked."""
    if not verbose:
        return list(results)
    bar = ProgressBar(name, 0.0)
    found = []
    for result in results:
        found.append(result)
        if bar.bar is None:
            LOGGER.info("%s: %d of %d", name, len(found), total)
        else:
            bar.bar.n = 100 * len(found) // total
            bar.bar.set_postfix(done=f"{len(found)} of {total}")
    bar.close()
    return found
