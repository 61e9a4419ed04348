"""Data sets A to E of the block coordinate descent paper, by recipe and seed.

References
----------
.. [1] Nutini, Laradji, Schmidt, "Let's make block coordinate descent converge faster", JMLR 23
   (2022), section 7.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse
import scipy.sparse.csgraph
from numpy.typing import NDArray

from problems.linear import LeastSquares
from problems.margins import Logistic, Multinomial
from problems.penalties import NonNegative, Penalty
from problems.quadratic import Quadratic

LAMBDA_A = 50_000.0  # weight of the l1 term of A-l1nn, in units of the objective per unit of x


def paper_design(
    n_samples: int, n_features: int, rng: np.random.Generator
) -> scipy.sparse.csc_array:
    """Entries N(0,1) + 1, columns times 10 N(0,1), kept with probability 10 log(n) / n.

    Returns
    -------
    csc_array of shape (n_samples, n_features), float64
    """
    keep = min(1.0, 10.0 * np.log(n_samples) / n_samples)
    dense = rng.standard_normal((n_samples, n_features)) + 1.0
    dense *= 10.0 * rng.standard_normal(n_features)
    dense[rng.random((n_samples, n_features)) >= keep] = 0.0
    return scipy.sparse.csc_array(dense)


def _sparse_weights(n_features: int, rng: np.random.Generator) -> NDArray[np.float64]:
    return rng.standard_normal(n_features) * (rng.random(n_features) < 0.1)


def dataset_a(
    n_samples: int = 1000,
    n_features: int = 10_000,
    *,
    penalty: Penalty | None = None,
    random_state: int = 0,
) -> LeastSquares:
    """Least squares: ``y = A w + N(0,1)`` with a sparse w.

    Examples
    --------
    >>> problem = dataset_a(100, 300)
    >>> problem.n_samples, problem.n_coordinates
    (100, 300)
    """
    rng = np.random.default_rng(random_state)
    A = paper_design(n_samples, n_features, rng)
    y = A @ _sparse_weights(n_features, rng) + rng.standard_normal(n_samples)
    return LeastSquares(A, y, penalty)


def dataset_a_l1nn(
    n_samples: int = 1000,
    n_features: int = 10_000,
    *,
    alpha: float = LAMBDA_A,
    random_state: int = 0,
) -> LeastSquares:
    """Return data set A with ``x >= 0`` and an l1 term of weight ``alpha``."""
    return dataset_a(n_samples, n_features, penalty=NonNegative(alpha), random_state=random_state)


def dataset_b(
    n_samples: int = 1000, n_features: int = 10_000, *, random_state: int = 0
) -> Logistic:
    """Logistic: ``y = sign(A w)``, each sign flipped with probability 0.1."""
    rng = np.random.default_rng(random_state)
    A = paper_design(n_samples, n_features, rng)
    y = np.where(A @ _sparse_weights(n_features, rng) >= 0.0, 1.0, -1.0)
    y[rng.random(n_samples) < 0.1] *= -1.0
    return Logistic(A, y)


def dataset_c(
    n_samples: int = 1000,
    n_features: int = 1000,
    n_classes: int = 50,
    *,
    random_state: int = 0,
) -> Multinomial:
    """Multinomial: class = argmax(A W + N(0,1)) with a dense W."""
    rng = np.random.default_rng(random_state)
    A = paper_design(n_samples, n_features, rng)
    scores = A @ rng.standard_normal((n_features, n_classes))
    y = np.argmax(scores + rng.standard_normal(scores.shape), axis=1)
    return Multinomial(A, y, n_classes=n_classes)


def dataset_d(
    side: int = 50,
    n_labelled: int = 100,
    *,
    weight: float = 1e5,
    random_state: int = 0,
) -> Quadratic:
    """Return data set D: ``1/2 sum_edges w (x_i - x_j)^2`` on a square lattice.

    Random vertices are labelled with 10 N(0,1); the others are the unknowns.
    """
    rng = np.random.default_rng(random_state)
    vertex = np.arange(side * side).reshape(side, side)
    tails = np.concatenate([vertex[:, :-1].ravel(), vertex[:-1].ravel()])
    heads = np.concatenate([vertex[:, 1:].ravel(), vertex[1:].ravel()])
    n = side * side
    W = scipy.sparse.coo_array((np.full(len(tails), weight), (tails, heads)), shape=(n, n)).tocsr()
    labelled = rng.choice(n, n_labelled, replace=False)
    return _label_system(W + W.T, labelled, 10.0 * rng.standard_normal(n_labelled))


def dataset_e(
    n_points: int = 2000, n_labelled: int = 100, n_neighbors: int = 5, *, random_state: int = 0
) -> Quadratic:
    """Return data set E: label propagation on two moons, labels -1 and 1 on some points."""
    from sklearn.datasets import make_moons
    from sklearn.neighbors import kneighbors_graph

    rng = np.random.default_rng(random_state)
    points, moon = make_moons(n_points, noise=0.1, random_state=random_state)
    W = scipy.sparse.csr_array(kneighbors_graph(points, n_neighbors))
    W = W.maximum(W.T)
    labelled = rng.choice(n_points, n_labelled, replace=False)
    return _label_system(W, labelled, 2.0 * moon[labelled] - 1.0)


def _label_system(W, labelled: NDArray, labels: NDArray) -> Quadratic:
    """Quadratic of the unlabelled vertices: Q = D - W among them, q = W times the labels."""
    W = scipy.sparse.csr_array(W)
    degree = np.asarray(W.sum(axis=1)).ravel()
    free = np.setdiff1d(np.arange(W.shape[0]), labelled)
    _, component = scipy.sparse.csgraph.connected_components(W, directed=False)
    grounded = np.isin(component, component[labelled])
    free = free[grounded[free]]  # a component without a label has no answer
    laplacian = scipy.sparse.csr_array(scipy.sparse.diags_array(degree)) - W
    Q = scipy.sparse.csr_array(laplacian[free][:, free])
    Q.sort_indices()
    return Quadratic(Q, np.asarray(W[free][:, labelled] @ labels).ravel(), vertices=free)
