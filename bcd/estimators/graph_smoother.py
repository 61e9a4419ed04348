"""GraphSmoother: a signal on a chain, a tree or any graph, smoothed robustly."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.sparse.csgraph import connected_components
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, validate_data

from bcd.estimators._validation import check_choice, check_count, check_number, read_weights
from bcd.pairwise_newton import run_newton, warn_unless_solved
from graphs import CSRGraph
from graphs.convert import is_networkx
from problems.linear import check_real
from problems.pairwise import PairwiseProblem, read_graph

LOSSES = ("squared", "huber")


class GraphSmoother(BaseEstimator):
    """Smooth a signal on the vertices of a graph.

    Minimises ``sum_i s_i h(x_i - y_i) + alpha sum_edges w_ij f(x_i - x_j)`` over the values x, with
    h and f half the square, or Huber's loss: linear beyond a threshold, so that single outliers
    (``loss="huber"``) do not pull and steps of the signal (``edge_loss="huber"``) stay steps.

    Parameters
    ----------
    graph : CSRGraph, scipy sparse matrix or networkx.Graph, default=None
        Undirected, weights w at least 0, a vertex a sample; a chain along the samples when None.
    alpha : float, default=1.0
        Weight of smoothness, at least 0.
    loss, edge_loss : {"squared", "huber"}, default="squared"
        The losses h and f.
    delta, edge_delta : float, default=1.0
        Where Huber's losses turn linear, in units of y; above 0.
    tol : float, default=1e-8
        Largest entry of the gradient at which to stop, relative to the largest distance of y from
        its median.
    max_iter : int, default=1000
        Newton steps at most.

    Attributes
    ----------
    values_ : ndarray of shape (n_samples,)
        The smooth signal; of a networkx graph in the order of its nodes.
    outliers_ : ndarray of shape (n_samples,), bool
        Samples further than ``delta`` from their value where ``loss="huber"``, none otherwise.
    objective_ : float
        At ``values_``.
    gradient_ : float
        Largest entry of the gradient, in units of y.
    n_iter_ : int
        Newton steps made.
    n_features_in_ : int
        Where ``fit`` was given X.

    See Also
    --------
    bcd.solve_pairwise : The solver, for other losses.
    bcd.propagate_labels : Values known at some vertices, and kept.

    Notes
    -----
    On chains and trees a step is one exact elimination in O(n_samples), and with squared losses one
    step is all.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([0.0, 1.0, 2.0, 90.0, 4.0, 5.0, 6.0])
    >>> GraphSmoother(loss="huber").smooth(y).round(1)
    array([0.7, 1.4, 2.4, 3.8, 4.2, 4.9, 5.4])
    """

    def __init__(
        self,
        graph=None,
        *,
        alpha=1.0,
        loss="squared",
        edge_loss="squared",
        delta=1.0,
        edge_delta=1.0,
        tol=1e-8,
        max_iter=1000,
    ):
        self.graph = graph
        self.alpha = alpha
        self.loss = loss
        self.edge_loss = edge_loss
        self.delta = delta
        self.edge_delta = edge_delta
        self.tol = tol
        self.max_iter = max_iter

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.sparse = True
        return tags

    def _check_parameters(self):
        check_choice("loss", self.loss, LOSSES)
        check_choice("edge_loss", self.edge_loss, LOSSES)
        check_number("alpha", self.alpha, 0.0)
        check_number("delta", self.delta, 0.0, above=True)
        check_number("edge_delta", self.edge_delta, 0.0, above=True)
        check_number("tol", self.tol, 0.0)
        check_count("max_iter", self.max_iter)

    def fit(self, X, y, sample_weight=None):
        """Smooth y.

        Parameters
        ----------
        X : None or array-like of shape (n_samples, n_features)
            Not used: y and the graph say all. Checked where it is given.
        y : array-like of shape (n_samples,), or dict
            Finite. For a networkx graph in the order of its nodes, or a dict from nodes to numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            The weights s, at least 0, scaled to a mean of 1; a sample of weight 0 is filled in
            from its neighbours.

        Returns
        -------
        self : object

        Raises
        ------
        TypeError
            If ``graph`` is of another type.
        ValueError
            If a parameter is out of range, an argument is malformed or of another length than the
            graph, or a component of the graph has no sample of a weight above 0.

        Warns
        -----
        ConvergenceWarning
            If the tolerance was not reached.
        """
        self._check_parameters()
        y = self._read(X, y)
        n = len(y)
        graph = _chain(n) if self.graph is None else read_graph(self.graph)
        if graph.n_vertices != n:
            raise ValueError(
                f"y must have one value for each of {graph.n_vertices} vertices of graph, got {n}."
            )
        weights = read_weights(sample_weight, n)
        weights = np.ones(n) if weights is None else weights
        graph = _scaled(graph, float(self.alpha))
        _check_observed(graph, weights)
        middle = np.median(y[weights > 0.0])
        target = np.where(weights > 0.0, y - middle, 0.0)  # small numbers have small roundings
        problem = PairwiseProblem(
            graph,
            target,
            edge_loss=self.edge_loss,
            node_loss=self.loss,
            node_weight=weights,
            edge_delta=self.edge_delta,
            node_delta=self.delta,
        )
        goal = float(self.tol) * float(abs(target).max())
        result = run_newton(problem, target.copy(), goal, int(self.max_iter), "auto")
        warn_unless_solved(result, stacklevel=2)
        self.values_ = result.x + middle
        self.outliers_ = np.zeros(n, dtype=np.bool_)
        if self.loss == "huber":
            self.outliers_ = (weights > 0.0) & (abs(result.x - target) > self.delta)
        self.objective_, self.gradient_ = result.fun, result.gap
        self.n_iter_ = max(result.n_iter, 1)
        return self

    def smooth(self, y, sample_weight=None):
        """Fit and return the smooth signal.

        Parameters
        ----------
        y, sample_weight
            See ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,), or dict
            ``values_``; a dict from nodes to values where y is one.
        """
        values = self.fit(None, y, sample_weight).values_
        if isinstance(y, Mapping):
            return dict(zip(self.graph, values.tolist(), strict=True))
        return values

    def _read(self, X, y):
        if isinstance(y, Mapping):
            if not is_networkx(self.graph):
                raise TypeError("y must be an array unless graph is a networkx graph, got a dict.")
            unlike = set(y).symmetric_difference(self.graph)
            if unlike:
                raise ValueError(
                    "y must have a number for each node of graph and for no other, got "
                    f"{next(iter(unlike))!r} in one of them only."
                )
            y = [y[node] for node in self.graph]
        if np.ma.is_masked(y):
            raise ValueError(
                "y must not be masked, got masked samples; give them a sample_weight of 0."
            )
        if X is not None:
            return validate_data(self, X, y, accept_sparse="csr", y_numeric=True, dtype=np.float64)[
                1
            ].astype(np.float64)
        try:
            y = np.asarray(y)
            y = y.astype(np.float64) if y.dtype == object else y
        except (TypeError, ValueError, OverflowError) as error:
            raise TypeError(f"y must be real numbers: {error}.") from error
        check_real("y", y)
        if y.ndim != 1:
            raise ValueError(f"y must have shape (n_samples,), got {y.shape}.")
        return check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")


def _chain(n: int) -> CSRGraph:
    return CSRGraph.from_edges(n, np.arange(n - 1), np.arange(1, n))


def _scaled(graph: CSRGraph, alpha: float) -> CSRGraph:
    return read_graph(
        CSRGraph(
            indptr=graph.indptr,
            indices=graph.indices,
            weights=alpha * graph.weights,
            reverse=graph.reverse,
        )
    )


def _check_observed(graph: CSRGraph, weights) -> None:
    """Refuse a component where no sample counts: nothing would determine its values."""
    if (weights > 0.0).all():
        return
    count, component = connected_components(graph.to_scipy(), directed=False)
    empty = np.bincount(component, weights=weights, minlength=count) == 0.0
    if empty.any():
        vertex = int(np.flatnonzero(empty[component])[0])
        raise ValueError(
            "sample_weight must be above 0 somewhere in each component of graph (with alpha=0 "
            f"each vertex is one), got 0 all around vertex {vertex}."
        )
