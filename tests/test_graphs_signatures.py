"""Whatever the user's arrays look like, a kernel is compiled once for each width of numbers."""

import os
import subprocess
import sys

import pytest

LINEAR_TOUR = """
import tempfile
import warnings
from pathlib import Path
import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
import bcd

warnings.simplefilter("ignore", ConvergenceWarning)
rng = np.random.default_rng(0)
A = np.round(rng.standard_normal((40, 12)), 2) * (rng.random((40, 12)) < 0.7)
y = A[:, 0] - A[:, 3] + rng.normal(0, 0.3, 40)
stored = np.lib.format.open_memmap(
    Path(tempfile.mkdtemp()) / "A.npy", mode="w+", dtype=float, shape=A.shape
)
stored[:] = A
stored.flush()
wide = sp.csc_array(A)
wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
frozen = A.copy()
frozen.flags.writeable = False
kept = sp.csc_array(A)
for part in (kept.data, kept.indices, kept.indptr, y):
    part.flags.writeable = False
matrices = [
    np.ascontiguousarray(A), np.asfortranarray(A), np.repeat(A, 2, axis=1)[:, ::2], frozen,
    np.load(stored.filename, mmap_mode="r"), sp.csr_array(A), sp.csc_array(A), wide, kept,
    sp.csc_matrix(A), A.tolist(), A.astype(np.int32),
    A.astype(np.float32), np.asfortranarray(A, np.float32), sp.csr_array(A.astype(np.float32)),
]
weights = np.linspace(0.5, 2.0, 40)[::-1]
for X in matrices:
    target = y.astype(np.float32) if getattr(X, "dtype", None) == np.float32 else y
    for fitted in (bcd.Lasso(0.1), bcd.ElasticNet(0.1), bcd.Lasso(0.1, positive=True)):
        fitted.fit(X, target)
        fitted.set_params(fit_intercept=False).fit(X, target, weights)
    bcd.LogisticRegression(l1_ratio=1.0, C=1.0).fit(X, y > 0)
    bcd.PoissonRegressor().fit(X, np.round(np.abs(y)))
    bcd.HuberRegressor().fit(X, y)
    bcd.LinearSVC().fit(X, y > 0)
    bcd.NonNegativeLeastSquares().fit(X, y)
    bcd.LassoCV(alphas=5, cv=3).fit(X, y)
    bcd.SVC().fit(X, y > 0)
    bcd.GroupLasso(alpha=0.1).fit(X, y)
    if not sp.issparse(X):
        bcd.MultiTaskLasso(alpha=0.1).fit(X, np.column_stack([y, -y]))
"""

RULES_TOUR = """
import numpy as np
import scipy.sparse as sp
import bcd
from problems import L1, LeastSquares, Logistic, Quadratic

rng = np.random.default_rng(0)
A = rng.standard_normal((30, 12)) * (rng.random((30, 12)) < 0.6)
A[0] = 1.0
y = A[:, 0] + rng.standard_normal(30)
for X in (A, np.asfortranarray(A), sp.csr_array(A), sp.csc_array(A), A.astype(np.float32)):
    for penalty in (None, L1(0.5)):
        problem = LeastSquares(X, y, penalty)
        for partition, selection, update in (
            ("order", "cyclic", "prox-gradient"), ("sorted", "gs-s", "prox-newton"),
            ("variable", "gs-q", "prox-gradient"), ("random", "shuffled", "exact"),
            ("averaged", "lipschitz", "two-metric"),
        ):
            if update == "two-metric" and penalty is None:
                continue
            bcd.minimize(
                problem, partition=partition, selection=selection, update=update, block_size=3,
                max_iter=20000, tol=1e-3, random_state=0,
            )
    bcd.minimize(Logistic(X, np.sign(y), L1(1.0)), max_iter=20000, tol=1e-2)
W = sp.random_array((50, 50), density=0.1, random_state=0)
W = W + W.T
W.setdiag(0.0)
labels = np.full(50, np.nan)
labels[[0, 9]] = 0.0, 1.0
labels[::7] = 1.0
bcd.propagate_labels(sp.csr_array(W), labels)
bcd.propagate_labels(sp.csc_array(W), labels[:])
Q = sp.csr_array(sp.diags_array(np.asarray(abs(W).sum(axis=1)) + 1.0) - W)
for partition, selection, update in (
    ("colors", "gs", "message-passing"), ("forest", "cyclic", "message-passing"),
    ("variable", "greedy-forest", "message-passing"), ("order", "gsl", "matrix"),
):
    bcd.minimize(
        Quadratic(Q, np.ones(50)), partition=partition, selection=selection, update=update,
        tol=1e-3, max_iter=20000,
    )
"""

PLANNING_TOUR = """
import numpy as np
import planning
from problems.worlds import DiscWorld, OccupancyGrid

planning.warm_up(everything=True)
fixed = np.array([0.5, 0.5])
fixed.flags.writeable = False
cells = np.zeros((20, 40), np.int8)[:, ::2]
for world in (DiscWorld(((0, 4), (0, 4))), OccupancyGrid.from_array(cells, 0.2)):
    for points in (np.random.default_rng(0).random((60, 2)) * 4, np.mgrid[0.2:4:9j, 0.2:4:9j]):
        roadmap = planning.Roadmap.from_points(points.reshape(2, -1).T if points.ndim == 3
                                               else points.astype(np.float32), radius=1.5)
        for planner in (planning.FMTx(world, roadmap), planning.Scratch(world, roadmap)):
            planner.set_goal(fixed.astype(np.float32) + 3)
            for start in (fixed, (0.5, 0.5), [1, 1], np.array([1, 1]), np.ones(4)[::2]):
                assert planner.plan(start).solved
            planner.update()
"""

COUNT = """
import gc
from numba.core import types
from numba.core.registry import CPUDispatcher

HOUSE = ("graphs.", "problems.", "bcd.", "planning.")


def plain(kind):  # both widths of numbers count as one
    if isinstance(kind, types.BaseNamedTuple):
        return kind.instance_class.__name__, tuple(map(plain, kind.types))
    if isinstance(kind, types.Array):
        width = str(kind.dtype).replace("32", "64")
        return width, kind.ndim, kind.layout, kind.mutable
    return str(kind).replace("float32", "float64")


def kinds(dispatcher):
    return {tuple(map(plain, signature)) for signature in dispatcher.signatures}


found = [one for one in gc.get_objects() if isinstance(one, CPUDispatcher)]
found = [one for one in found if one.py_func.__module__.startswith(HOUSE) and one.signatures]
assert len(found) >= {least}, len(found)
for one in found:
    name = one.py_func.__module__ + "." + one.py_func.__name__
    if len(kinds(one)) > 1 and name not in {allowed}:
        print(name, *sorted(map(str, kinds(one))), sep="\\n    ")
"""


@pytest.mark.parametrize(
    # the least is of a warm cache, where callees of what is loaded are not seen
    ("tour", "least", "allowed"),
    [
        (LINEAR_TOUR, 40, ("bcd._design_kernels.combine_columns",)),  # C and Fortran order
        (RULES_TOUR, 20, ()),
        (PLANNING_TOUR, 40, ()),
    ],
    ids=["estimators", "rules", "planners"],
)
def test_kernels_are_compiled_once_for_each_width_of_numbers(tour, least, allowed):
    count = COUNT.replace("{least}", str(least)).replace("{allowed}", repr(allowed))
    done = subprocess.run(
        [sys.executable, "-c", tour + count],
        capture_output=True,
        text=True,
        env=os.environ,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stdout, done.stdout
