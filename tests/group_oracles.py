"""Problems and parts of gaps for tests of groups and of many targets, by plain numpy."""

import numpy as np
import scipy.sparse as sp


def features(rng, n, p, density=None):
    """Columns of many lengths, away from zero, or sparse."""
    X = rng.standard_normal((n, p)) * np.exp(0.5 * rng.standard_normal(p)) + rng.standard_normal(p)
    return X if density is None else X * (rng.random((n, p)) < density)


def grouped(n, seed, sizes, sparse=False):
    """Return features, groups of them in any order, a score that two make up, and the generator."""
    rng = np.random.default_rng(seed)
    X = features(rng, n, sum(sizes), 0.4 if sparse else None)
    order = rng.permutation(X.shape[1])
    groups = [part.tolist() for part in np.split(order, np.cumsum(sizes)[:-1])]
    return X, groups, X[:, groups[0]].sum(axis=1) + X[:, groups[3]].sum(axis=1), rng


def many_targets(n, p, t, seed, sparse=False):
    """Return features, and targets made up by the first three."""
    rng = np.random.default_rng(seed)
    X = features(rng, n, p, 0.3 if sparse else None)
    Y = X[:, : min(3, p)] @ rng.standard_normal((min(3, p), t)) + rng.standard_normal((n, t)) + 2.0
    return X, Y


def stored(X, kind):
    """Return X in C or Fortran order, or as a csc or csr array."""
    if kind in ("csc", "csr"):
        return sp.csc_array(X).asformat(kind)
    return X if kind == "C" else np.asfortranarray(X)


def span(A):
    """Return an orthonormal basis of the columns."""
    left, values, _ = np.linalg.svd(A, full_matrices=False)
    return left[:, values > 1e-12 * values.max(initial=0.0)]


def free_features(groups, weight, l1):
    """Tell which features have no penalty."""
    free = l1 == 0.0
    for group, factor in zip(groups, weight, strict=True):
        free[group] &= factor == 0.0
    return free


def feasible_multiple(c, groups, weight, l1, high):
    """Return the largest multiple of ``c``, up to ``high``, in the dual ball of all groups."""

    def feasible(scale):
        soft = np.maximum(np.abs(scale * c) - l1, 0.0)
        return all(np.linalg.norm(soft[g]) <= f for g, f in zip(groups, weight, strict=True))

    low = high if feasible(high) else 0.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if feasible(middle) else (low, middle)
    return low


def free_some(rng, X, groups, dependent):
    """Return factors of the l1 part and of the groups: group 0 has no penalty, group 5 in part.

    Factors of zero elsewhere leave the norm, as group 2's weight of zero leaves the l1 part. Free
    columns, and a penalised one on them, are made to depend on each other where asked.
    """
    factor, weights = rng.uniform(0.3, 2.0, X.shape[1]), rng.uniform(0.3, 2.0, len(groups))
    weights[[0, 2, 5]] = 0.0
    factor[groups[0]] = 0.0
    factor[[groups[1][0], groups[4][1], groups[5][0]]] = 0.0
    if dependent:
        X[:, groups[0][1]] = X[:, groups[3][0]] = -3.0 * X[:, groups[0][0]]
    return factor, weights
