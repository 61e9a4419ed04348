"""Design matrices against dense products: centred, weighted, in every layout."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp

from bcd.design import make_design


def dense_copy(X, intercept, weights):
    root = np.ones(len(X)) if weights is None else np.sqrt(weights)
    A = X * root[:, None]
    return A - np.outer(root, root @ A / (root @ root)) if intercept else A


@pytest.mark.parametrize("kind", ["C", "F", "csc", "wide"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_gram_product_and_correlation_are_those_of_the_dense_matrix(
    kind, dtype, intercept, weighted
):
    rng = np.random.default_rng(0)
    n, p = 2100, 9  # more samples than are gathered at once
    X = (
        rng.standard_normal((n, p)) * (rng.random((n, p)) < 0.3) + 0.1 * (np.arange(p) == 4)
    ).astype(dtype)
    weights = rng.integers(0, 3, n).astype(float) if weighted else None
    given = {"C": X, "F": np.asfortranarray(X)}.get(kind)
    if given is None:
        given = sp.csc_array(X)
        if kind == "wide":
            given.indices = given.indices.astype(np.int64)
            given.indptr = given.indptr.astype(np.int64)
    root = None if weights is None else np.sqrt(weights)
    u = np.empty(0)
    if intercept:
        u = np.ones(n) if root is None else root
    design = make_design(given, u, root)
    A = dense_copy(X.astype(np.float64), intercept, weights)
    left, right = np.array([4, 0, 7], dtype=np.int32), np.array([8, 4, 1, 2], dtype=np.int32)
    np.testing.assert_allclose(
        design.gram(left, right), A[:, left].T @ A[:, right], rtol=1e-9, atol=1e-9
    )
    np.testing.assert_allclose(
        design.gram(left, left), A[:, left].T @ A[:, left], rtol=1e-9, atol=1e-9
    )
    coef = rng.standard_normal(4)
    np.testing.assert_allclose(
        design.product(right, coef), A[:, right] @ coef, rtol=1e-9, atol=1e-9
    )
    residual = rng.standard_normal(n)
    if intercept:
        residual -= (u @ residual) / (u @ u) * u
    np.testing.assert_allclose(
        design.correlate(residual, left), A[:, left].T @ residual, rtol=1e-9, atol=1e-8
    )
    np.testing.assert_allclose(design.squares, (A**2).sum(axis=0), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("wrap", [np.ascontiguousarray, np.asfortranarray, sp.csc_array])
def test_a_design_travels_with_one_copy_of_its_matrix(wrap):
    X = wrap(np.random.default_rng(0).standard_normal((400, 300)))
    size = X.data.nbytes + (X.indices.nbytes if sp.issparse(X) else 0)
    design = make_design(X, np.ones(400))
    stored = pickle.dumps((design.matrix, design))
    assert len(stored) < 1.2 * size
    _, restored = pickle.loads(stored)
    r, columns = np.arange(400.0), np.arange(7, dtype=np.int32)
    np.testing.assert_array_equal(restored.correlate(r, columns), design.correlate(r, columns))
