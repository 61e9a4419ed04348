"""Pairwise objectives on graphs: differences along edges are paid for, and so is leaving data."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.csgraph import connected_components

from graphs import CSRGraph
from graphs.convert import from_networkx, is_networkx, read_matrix
from problems._pairwise_kernels import PairwiseArrays, pairwise_curvature, pairwise_gradient
from problems.losses import HUBER, LOGISTIC, SQUARES, Loss

PAIRWISE_LOSSES = {"squared": SQUARES, "huber": HUBER, "logistic": LOGISTIC}


class PairwiseProblem:
    """``sum_edges w_ij f(x_i - x_j) + sum_i c_i h(x_i, y_i) + l2/2 |x|^2``, convex in x.

    ======== ===================================== =====================================
    loss     f on an edge, of d = x_i - x_j        h at a vertex
    ======== ===================================== =====================================
    squared  d^2 / 2                               (x - y)^2 / 2
    huber    d^2 / 2 within ``edge_delta``, then   the same of x - y, ``node_delta``
             linear
    logistic 2 log cosh(d / 2)                     log(1 + exp(-y x)), y = -1 or 1
    ======== ===================================== =====================================

    Parameters
    ----------
    graph : CSRGraph, scipy sparse matrix or networkx.Graph
        Undirected, without self-loops, its weights w at least 0; an edge of weight 0 is none.
        Vertices of a networkx graph are numbered in its own order.
    y : array_like of shape (n,)
        Finite where ``node_weight`` is above 0, anything elsewhere.
    edge_loss, node_loss : {"squared", "huber", "logistic"}, default="squared"
    node_weight : float or array_like of shape (n,), default=1.0
        The weights c, at least 0.
    edge_delta, node_delta : float, default=1.0
        Where Huber's losses turn linear, above 0, in units of x.
    l2 : float, default=0.0
        Weight of a ridge, at least 0.

    Attributes
    ----------
    graph : CSRGraph
    n_coordinates : int

    Raises
    ------
    TypeError
        If ``graph`` is none of the above.
    ValueError
        If an argument is out of range or of a wrong length, or if a component of the graph has no
        minimiser: without ``l2`` each needs a vertex with a weight above 0, and labels of both
        signs where ``node_loss="logistic"``.

    Notes
    -----
    The problems on which [1]_, section 5, exploits sparsity: the Hessian has the graph's pattern,
    so a block that induces a forest takes an exact Newton step in linear time.

    References
    ----------
    .. [1] Nutini, Laradji, Schmidt (2022), "Let's Make Block Coordinate Descent Converge Faster".

    Examples
    --------
    >>> path = CSRGraph.from_edges(3, [0, 1], [1, 2])
    >>> problem = PairwiseProblem(path, [0.0, 3.0, 0.0], edge_loss="huber")
    >>> problem.value([0.0, 3.0, 0.0])
    5.0
    >>> problem.gradient([0.0, 3.0, 0.0])
    array([-1.,  2., -1.])
    """

    def __init__(
        self,
        graph,
        y: ArrayLike,
        *,
        edge_loss: str = "squared",
        node_loss: str = "squared",
        node_weight: ArrayLike = 1.0,
        edge_delta: float = 1.0,
        node_delta: float = 1.0,
        l2: float = 0.0,
    ) -> None:
        self.graph = read_graph(graph)
        n = self.n_coordinates = self.graph.n_vertices
        edge = _read_loss("edge", edge_loss, edge_delta)
        node = _read_loss("node", node_loss, node_delta)
        trust = _read_weights(node_weight, n)
        target = _read_target(y, trust, node_loss)
        if not (np.isfinite(l2) and l2 >= 0.0):
            raise ValueError(f"l2 must be a finite number of at least 0, got {l2}.")
        self._arrays = PairwiseArrays(
            indptr=self.graph.indptr,
            indices=self.graph.indices,
            weights=self.graph.weights,
            edge=edge,
            node=node,
            trust=trust,
            target=target,
            l2=float(l2),
        )
        if l2 == 0.0:
            self._check_grounded()

    def _check_grounded(self) -> None:
        p = self._arrays
        _, component = connected_components(self.graph.to_scipy(), directed=False)
        sides = [("a vertex whose node_weight is above 0", p.trust > 0.0)]
        if p.node.tag == LOGISTIC:
            for sign in (-1.0, 1.0):
                sides.append((f"a label {sign:g}", (p.trust > 0.0) & (p.target == sign)))
        for wanted, here in sides:
            missing = np.bincount(component, weights=here) == 0
            if missing.any():
                vertex = int(np.flatnonzero(missing[component])[0])
                raise ValueError(
                    f"each component of graph must have {wanted}, or there is no minimiser, got "
                    f"none around vertex {vertex}; set l2 above 0."
                )

    def arrays(self) -> PairwiseArrays:
        """Return the problem as kernels see it."""
        return self._arrays

    def _point(self, x: ArrayLike) -> NDArray[np.float64]:
        point = np.ascontiguousarray(x, dtype=np.float64)
        if point.shape != (self.n_coordinates,):
            raise ValueError(f"x must have shape ({self.n_coordinates},), got {point.shape}.")
        return point

    def value(self, x: ArrayLike) -> float:
        """Objective at ``x``."""
        point = self._point(x)
        return float(pairwise_gradient(self._arrays, point, np.empty_like(point))[0])

    def gradient(self, x: ArrayLike) -> NDArray[np.float64]:
        """Gradient at ``x``, of shape (n,)."""
        point = self._point(x)
        out = np.empty_like(point)
        pairwise_gradient(self._arrays, point, out)
        return out

    def hessian(self, x: ArrayLike) -> sp.csr_array:
        """Hessian at ``x``, a generalised one where Huber's losses have kinks in their slope."""
        point = self._point(x)
        diagonal, link = np.empty_like(point), np.empty(self.graph.n_slots)
        pairwise_curvature(self._arrays, point, 0.0, diagonal, link)
        off = sp.csr_array((link, self.graph.indices, self.graph.indptr), (len(point),) * 2)
        return sp.csr_array(off + sp.diags_array(diagonal))


def read_graph(graph) -> CSRGraph:
    """Read an undirected graph of weights at least 0; edges of weight 0 are left out."""
    if is_networkx(graph):
        if graph.is_directed():
            raise ValueError("graph must be undirected, got a directed one; use to_undirected().")
        found = from_networkx(graph)[0]
    elif isinstance(graph, CSRGraph):
        if graph.reverse is None:
            raise ValueError("graph must be undirected, got a directed one.")
        found = graph
    elif sp.issparse(graph):
        found = read_matrix("graph", graph)
    else:
        raise TypeError(
            "graph must be a CSRGraph, a scipy sparse matrix or a networkx graph, got "
            f"{type(graph).__name__}."
        )
    if found.n_vertices == 0:
        raise ValueError("graph must not be empty, got no vertices.")
    bad = np.flatnonzero(~(found.weights >= 0.0))
    if len(bad):
        s = bad[0]
        raise ValueError(
            f"graph must have weights of at least 0, got {found.weights[s]} at "
            f"({found.tails()[s]}, {found.indices[s]})."
        )
    if not found.weights.all():
        matrix = found.to_scipy()
        matrix.eliminate_zeros()
        found = CSRGraph.from_scipy(matrix)
    return found


def _read_loss(where: str, name: str, delta: float) -> Loss:
    if not isinstance(name, str) or name not in PAIRWISE_LOSSES:
        raise ValueError(f"{where}_loss must be one of {', '.join(PAIRWISE_LOSSES)}, got {name!r}.")
    if not (np.isfinite(delta) and delta > 0.0):
        raise ValueError(f"{where}_delta must be a finite number above 0, got {delta}.")
    return Loss(tag=PAIRWISE_LOSSES[name], parameter=float(delta))


def _read_weights(node_weight: ArrayLike, n: int) -> NDArray[np.float64]:
    given = np.asarray(node_weight, dtype=np.float64)
    if given.shape not in ((), (n,)):
        raise ValueError(f"node_weight must be a number or have shape ({n},), got {given.shape}.")
    trust = np.array(np.broadcast_to(given, (n,)))
    bad = np.flatnonzero(~(np.isfinite(trust) & (trust >= 0.0)))
    if len(bad):
        raise ValueError(
            f"node_weight must be finite and at least 0, got {trust[bad[0]]} at vertex {bad[0]}."
        )
    return trust


def _read_target(y: ArrayLike, trust: NDArray, node_loss: str) -> NDArray[np.float64]:
    target = np.array(y, dtype=np.float64)
    if target.shape != trust.shape:
        raise ValueError(
            f"y must have one value for each of {len(trust)} vertices, got shape {target.shape}."
        )
    target[trust == 0.0] = 0.0
    bad = np.flatnonzero(~np.isfinite(target))
    if len(bad):
        raise ValueError(
            f"y must be finite, got {target[bad[0]]} at vertex {bad[0]}; leave a vertex out by "
            "node_weight=0."
        )
    if node_loss == "logistic":
        bad = np.flatnonzero((trust > 0.0) & (abs(target) != 1.0))
        if len(bad):
            raise ValueError(
                f"y must be -1 or 1 for node_loss='logistic', got {target[bad[0]]} at vertex "
                f"{bad[0]}."
            )
    return target
