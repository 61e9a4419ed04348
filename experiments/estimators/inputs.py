"""What an estimator takes: layouts, number types, memory maps, weights."""

from __future__ import annotations

import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.testing import assert_allclose

from experiments.estimators.models import Model

RTOL, ATOL = 1e-5, 1e-6
LARGE = (8_000, 400)  # 26 MB
SHARE = 0.8  # of the memory of X: less cannot hold a copy


def answers_as_usual(model: Model, convert) -> None:
    """Check that X in another form gives the usual answer."""
    X, y = model.data()
    usual = model.answer(model.make().fit(X, y), X)
    found = model.make().fit(convert(X), y)
    assert_allclose(model.answer(found, X), usual, rtol=RTOL, atol=ATOL)
    assert_allclose(model.answer(found, convert(X)), usual, rtol=RTOL, atol=ATOL)


def _with_indices(X, kind, dtype):
    found = kind(X)
    parts = found.data, found.indices.astype(dtype), found.indptr.astype(dtype)
    found = kind((found.data, found.indices, found.indptr), shape=found.shape)
    found.indices, found.indptr = parts[1:]  # scipy's constructors shorten what they can
    return found


def dense_c_and_f(model: Model) -> None:
    """Take rows contiguous, columns contiguous, and neither."""
    answers_as_usual(model, np.ascontiguousarray)
    answers_as_usual(model, np.asfortranarray)
    answers_as_usual(model, lambda X: np.repeat(X, 2, axis=1)[:, ::2])


def sparse(model: Model) -> None:
    """Take CSC and CSR, matrices and arrays, and a format that must be converted."""
    for kind in (sp.csc_matrix, sp.csr_matrix, sp.csc_array, sp.csr_array, sp.coo_array):
        answers_as_usual(model, kind)


def explicit_zeros(model: Model) -> None:
    """Take zeros that a sparse matrix stores."""

    def full(X):
        n, p = X.shape
        indices = np.tile(np.arange(n, dtype=np.int32), p)
        return sp.csc_array((X.ravel(order="F"), indices, np.arange(p + 1) * n), shape=X.shape)

    answers_as_usual(model, full)


def indices_of_both_widths(model: Model) -> None:
    """Take 32-bit and 64-bit indices of sparse matrices."""
    for kind in (sp.csc_array, sp.csr_array):
        for dtype in (np.int32, np.int64):
            answers_as_usual(model, lambda X, k=kind, d=dtype: _with_indices(X, k, d))


def float32_kept(model: Model) -> None:
    """Give coefficients in single precision where X is."""
    X, y = model.data()
    found = model.make().fit(X.astype(np.float32), y)
    assert found.coef_.dtype == np.float32
    usual = model.answer(model.make().fit(X, y), X)
    assert_allclose(model.answer(found, X), usual, rtol=1e-3, atol=1e-4)


def memory_map_without_a_copy(model: Model) -> None:
    """Fit a read-only memory map, dense or sparse, in less memory than a copy of it takes."""
    X, y = model.data(*LARGE)
    strong = model.make(**(model.strongest or model.settings))
    with tempfile.TemporaryDirectory() as folder:
        for kind, order in (("rows", np.ascontiguousarray), ("columns", np.asfortranarray)):
            np.save(Path(folder) / kind, order(X))
            read = np.load(Path(folder) / f"{kind}.npy", mmap_mode="r")
            taken = peak_memory(lambda read=read: strong.fit(read, y))
            assert taken < SHARE * X.nbytes, f"{kind}: {taken / X.nbytes:.2f} of X"
        compressed = sp.csc_array(X)
        for name in ("data", "indices", "indptr"):
            np.save(Path(folder) / name, getattr(compressed, name))
        parts = [
            np.load(Path(folder) / f"{n}.npy", mmap_mode="r") for n in ("data", "indices", "indptr")
        ]
        size = sum(part.nbytes for part in parts)
        read = sp.csc_array(tuple(parts), shape=X.shape)
        taken = peak_memory(lambda: strong.fit(read, y))
        assert taken < SHARE * size, f"sparse: {taken / size:.2f} of X"


def peak_memory(call) -> int:
    """Return the most bytes that numpy had allocated at once during a call."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def weights_are_repeats(model: Model) -> None:
    """Count a weight k as k repeats, 0 as removed; dense and sparse."""
    X, y = model.data()
    weights = np.random.default_rng(1).integers(0, 4, size=len(y))
    folds = np.arange(len(y)) % 3
    repeated = np.repeat(np.arange(len(y)), weights)

    def make(folds):
        parts = [(np.flatnonzero(folds != f), np.flatnonzero(folds == f)) for f in range(3)]
        return model.make(cv=parts) if model.cross_validates else model.make()

    for wrap in (np.asarray, sp.csc_array):
        weighted = make(folds).fit(wrap(X), y, sample_weight=weights)
        plain = make(folds[repeated]).fit(wrap(X[repeated]), y[repeated])
        assert_allclose(model.answer(weighted, X), model.answer(plain, X), rtol=RTOL, atol=ATOL)
