"""LabelPropagation: semi-supervised classification on a sparse graph, in scikit-learn's terms."""

from __future__ import annotations

import numbers
from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from bcd.estimators._validation import check_choice, check_count, check_flag, check_number
from bcd.graph_system import SOLVERS
from bcd.label_propagation import solve_labels
from graphs import CSRGraph, knn_graph, radius_graph
from graphs.convert import is_networkx
from graphs.neighbors import find_nearest

GRAPHS = ("knn", "radius", "precomputed")
KERNELS = ("rbf", "connectivity")


class LabelPropagation(ClassifierMixin, BaseEstimator):
    """Classify by harmonic functions on a sparse neighbourhood graph.

    Each class's indicator is extended from the labelled samples to all: minimise
    ``1/2 sum_edges w_ij |F_i - F_j|^2`` with the labelled rows fixed, or held with ``anchor``.
    Rows of F are then probabilities. Sparse throughout: memory is linear in samples.

    Parameters
    ----------
    graph : {"knn", "radius", "precomputed"}, default="knn"
        With "precomputed", X is the weights of the graph: a sparse matrix, a symmetric array or a
        networkx graph (in the order of its nodes).
    n_neighbors : int, default=10
        Of "knn", and of new points in ``predict``; at most the number of samples - 1 is used.
    radius : float, default=1.0
        Of "radius", in the unit of X.
    kernel : {"rbf", "connectivity"}, default="rbf"
        Weight of an edge of length d: ``exp(-gamma d^2)``, or 1.
    gamma : float, default=None
        ``1 / (2 mean(d^2))`` over the edges when None.
    anchor : float, default=None
        Trust in the labels, in units of edge weight; None keeps them as they are.
    unreached : {"prior", "reject"}, default="prior"
        What samples get that no label reaches: the most frequent class, or -1 (numeric classes).
        Their distribution is the labelled samples' class frequencies.
    solver : str, default="auto"
        See :func:`bcd.solve_graph_system`.
    tol : float, default=1e-8
    max_iter : int, default=1000
    verbose : bool, default=False
        Whether progress is logged to the logger ``southwell``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    label_distributions_ : ndarray of shape (n_samples, n_classes)
    transduction_ : ndarray of shape (n_samples,)
        The class of each training sample.
    unreached_ : ndarray of shape (n_samples,), bool
    n_iter_ : int
        The most iterations for a class; 0 where elimination was exact.
    solver_ : str
        What was done.
    residual_ : float
        Relative residual reached.
    n_features_in_ : int

    References
    ----------
    .. [1] Zhu, Ghahramani, Lafferty (2003), "Semi-supervised learning using Gaussian fields and
       harmonic functions".

    Examples
    --------
    >>> X = [[0.0], [0.1], [0.2], [5.0], [5.1]]
    >>> LabelPropagation(n_neighbors=1).fit(X, [0, -1, -1, 1, -1]).transduction_
    array([0, 0, 0, 1, 1])
    """

    def __init__(
        self,
        *,
        graph="knn",
        n_neighbors=10,
        radius=1.0,
        kernel="rbf",
        gamma=None,
        anchor=None,
        unreached="prior",
        solver="auto",
        tol=1e-8,
        max_iter=1000,
        verbose=False,
    ):
        self.graph = graph
        self.n_neighbors = n_neighbors
        self.radius = radius
        self.kernel = kernel
        self.gamma = gamma
        self.anchor = anchor
        self.unreached = unreached
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self.graph == "precomputed"
        tags.input_tags.sparse = self.graph == "precomputed"
        return tags

    def _check_parameters(self):
        check_choice("graph", self.graph, GRAPHS)
        check_choice("kernel", self.kernel, KERNELS)
        check_choice("unreached", self.unreached, ("prior", "reject"))
        check_choice("solver", self.solver, SOLVERS)
        check_count("n_neighbors", self.n_neighbors)
        check_count("max_iter", self.max_iter)
        check_number("radius", self.radius, 0.0, above=True)
        check_number("tol", self.tol, 0.0)
        check_flag("verbose", self.verbose)
        for name in ("gamma", "anchor"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), 0.0, above=True)

    def fit(self, X, y):
        """Spread the labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or a graph
            See ``graph``.
        y : array-like of shape (n_samples,)
            Class labels; -1 marks unlabelled samples, as in scikit-learn, and so does ``"-1"``
            among strings, which is what numpy makes of a list of both. With a networkx graph also
            a dict from nodes to classes; nodes that it does not name are unlabelled.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a parameter is out of range, X or y is malformed, or no sample is labelled.

        Warns
        -----
        ConvergenceWarning
            If the tolerance was not reached.
        UserWarning
            If a precomputed graph was not symmetric and was symmetrised.
        """
        self._check_parameters()
        X, y = self._read(X, y)
        labelled = np.flatnonzero(_is_labelled(y))
        if len(labelled) == 0:
            raise ValueError("y must label at least one sample, got -1 only.")
        try:
            check_classification_targets(y[labelled])
            self.classes_, coded = np.unique(y[labelled], return_inverse=True)
        except TypeError as error:
            raise ValueError(f"y must hold classes that can be sorted: {error}.") from error
        if self.unreached == "reject" and self.classes_.dtype.kind not in "if":
            raise ValueError("unreached='reject' gives class -1 and needs numeric classes.")
        n_classes = len(self.classes_)
        indicators = np.full((len(y), n_classes), np.nan)
        indicators[labelled] = np.eye(n_classes)[coded]
        found = solve_labels(
            self._weighted_graph(X),
            indicators[:, : max(n_classes - 1, 1)],  # the columns add up to one
            anchor=self.anchor,
            solver=self.solver,
            tol=self.tol,
            max_iter=self.max_iter,
            verbose=self.verbose,
        )
        rows = np.clip(found.values, 0.0, 1.0)
        if n_classes > 1:
            rows = np.column_stack([rows, np.clip(1.0 - rows.sum(axis=1), 0.0, 1.0)])
        else:
            rows = np.ones_like(rows)
        self.label_distributions_ = rows / rows.sum(axis=1, keepdims=True)
        self.unreached_ = found.unreached
        self.transduction_ = self.classes_[np.argmax(self.label_distributions_, axis=1)]
        if self.unreached == "reject":
            self.transduction_[self.unreached_] = -1
        self.n_iter_ = max(found.solution.n_iter, 1)
        self.solver_, self.residual_ = found.solution.solver, found.solution.residual
        return self

    def _read(self, X, y):
        if self.graph != "precomputed":
            return validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        y = _named_classes(X, y) if isinstance(y, Mapping) else np.asarray(y)
        if isinstance(X, CSRGraph) or is_networkx(X):
            n = X.n_vertices if isinstance(X, CSRGraph) else len(X)
            self.n_features_in_ = n
        else:
            X, y = validate_data(self, X, y, accept_sparse="csr", dtype=np.float64)
            n = X.shape[0]
        if y.shape != (n,):
            raise ValueError(f"y must have one label for each of {n} vertices, got {y.shape}.")
        return X, y

    def _weighted_graph(self, X):
        if self.graph == "precomputed":
            return sp.csr_array(X) if isinstance(X, np.ndarray) else X
        self._points = X
        if self.graph == "knn":
            near = knn_graph(X, min(self.n_neighbors, len(X) - 1))
        else:
            near = radius_graph(X, self.radius)
        with np.errstate(over="ignore"):
            squares = near.weights**2
        if not np.isfinite(squares).all():
            raise ValueError(
                "X must have neighbours at distances of finite squares, got "
                f"{near.weights.max():g}; scale the features."
            )
        mean = squares.mean() if len(squares) else 1.0
        scale = 1.0 / (2.0 * mean) if mean > 0 else 1.0
        self._gamma = scale if self.gamma is None else float(self.gamma)
        weights = np.ones_like(squares)
        if self.kernel == "rbf":
            weights = np.exp(-self._gamma * squares)
        return CSRGraph(
            indptr=near.indptr, indices=near.indices, weights=weights, reverse=near.reverse
        )

    def predict_proba(self, X):
        """Return class probabilities of new samples.

        Parameters
        ----------
        X : array-like of shape (n_new, n_features)
            New points: the mean of the distributions of their nearest training samples, weighted
            by the kernel. With ``graph="precomputed"``, weights of shape (n_new, n_samples).

        Returns
        -------
        ndarray of shape (n_new, n_classes)
        """
        check_is_fitted(self)
        if self.graph == "precomputed":
            weights = sp.csr_array(check_array(X, accept_sparse="csr", dtype=np.float64))
            n = len(self.label_distributions_)
            if weights.shape[1] != n:
                raise ValueError(f"X must have {n} columns, one a training sample, got {X.shape}.")
            if weights.nnz and weights.data.min() < 0:
                raise ValueError("X must have weights of at least 0, got a negative one.")
            totals = np.asarray(weights.sum(axis=1)).ravel()
            rows = weights @ self.label_distributions_
            rows[totals == 0] = self.label_distributions_.mean(axis=0)
            return rows / rows.sum(axis=1, keepdims=True)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        k = min(self.n_neighbors, len(self._points))
        nearest = find_nearest(self._points, X, k)
        weights = np.ones(nearest.shape)
        if self.kernel == "rbf":  # relative to the nearest, so that far points do not underflow
            squares = np.square(X[:, None] - self._points[nearest]).sum(axis=2)
            weights = np.exp(-self._gamma * (squares - squares.min(axis=1, keepdims=True)))
        rows = np.einsum("ij,ijc->ic", weights, self.label_distributions_[nearest])
        return rows / rows.sum(axis=1, keepdims=True)

    def predict(self, X):
        """Return the most probable class of new samples.

        Parameters
        ----------
        X : array-like of shape (n_new, n_features)
            See ``predict_proba``.

        Returns
        -------
        ndarray of shape (n_new,)
        """
        best = np.argmax(self.predict_proba(X), axis=1)
        return self.classes_[best]


def _is_mark(value) -> bool:
    return isinstance(value, numbers.Real | str) and value in (-1, "-1")


def _is_labelled(y: NDArray) -> NDArray[np.bool_]:
    """Tell which samples have a class: neither -1 nor, among strings or objects, ``"-1"``."""
    if y.dtype.kind in "US":
        return y != "-1"
    if y.dtype.kind == "O":
        return np.array([not _is_mark(value) for value in y], dtype=np.bool_)
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise ValueError(f"y must hold classes, got {y[~np.isfinite(y)][0]}.")
    return y != -1


def _named_classes(graph, named: Mapping) -> NDArray:
    """Return the class of each node in the graph's order, -1 where ``named`` has none."""
    if not is_networkx(graph):
        raise TypeError("y must be an array unless X is a networkx graph, got a dict.")
    unknown = [node for node in named if node not in graph]
    if unknown:
        raise ValueError(f"y must name nodes of the graph, got {unknown[0]!r}, which is none.")
    classes = [named.get(node, -1) for node in graph]
    is_text = any(isinstance(value, str) for value in classes)
    return np.array(classes, dtype=object if is_text else None)
