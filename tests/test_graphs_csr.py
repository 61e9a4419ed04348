"""CSR graphs against networkx and dense matrices, their conversions and their refusals."""

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from graphs import CSRGraph, from_networkx, from_scipy, to_networkx, to_scipy


@st.composite
def edge_lists(draw, max_vertices=12):
    n = draw(st.integers(1, max_vertices))
    pairs = [(u, v) for u in range(n) for v in range(u)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    weights = draw(
        st.lists(st.floats(-5, 5), min_size=len(chosen), max_size=len(chosen)).map(np.array)
    )
    tails = np.array([u for u, _ in chosen], dtype=np.int64)
    return n, tails, np.array([v for _, v in chosen], dtype=np.int64), weights


@given(edge_lists())
def test_reverse_slots_point_at_the_opposite_edge(edges):
    n, tails, heads, weights = edges
    graph = CSRGraph.from_edges(n, tails, heads, weights)
    assert (graph.n_vertices, graph.n_edges, graph.n_slots) == (n, len(tails), 2 * len(tails))
    owners = graph.tails()
    np.testing.assert_array_equal(graph.indices[graph.reverse], owners)
    np.testing.assert_array_equal(owners[graph.reverse], graph.indices)
    np.testing.assert_array_equal(graph.weights[graph.reverse], graph.weights)
    dense = np.zeros((n, n))
    dense[tails, heads] = dense[heads, tails] = weights
    np.testing.assert_array_equal(graph.to_scipy().toarray(), dense)


@given(edge_lists(), st.booleans())
def test_round_trips_through_scipy_and_networkx_keep_every_slot(edges, directed):
    n, tails, heads, weights = edges
    graph = CSRGraph.from_edges(n, tails, heads, weights, directed=directed)
    names = [f"node {v}" for v in range(n)]
    by_networkx, nodes = from_networkx(to_networkx(graph, names))
    assert nodes == names
    for other in (from_scipy(to_scipy(graph), directed=directed), by_networkx):
        for field in ("indptr", "indices", "weights", "reverse"):
            np.testing.assert_array_equal(getattr(other, field), getattr(graph, field))
            if getattr(graph, field) is not None:
                assert getattr(other, field).dtype == getattr(graph, field).dtype


@given(edge_lists(), st.randoms(use_true_random=False))
def test_relabeled_graph_is_the_same_graph_under_new_names(edges, random):
    n, tails, heads, weights = edges
    graph = CSRGraph.from_edges(n, tails, heads, weights)
    order = list(range(n))
    random.shuffle(order)
    dense = graph.to_scipy().toarray()
    np.testing.assert_array_equal(
        graph.relabeled(order).to_scipy().toarray(), dense[np.ix_(order, order)]
    )


def test_networkx_nodes_of_any_kind_and_missing_weights_are_read():
    source = nx.Graph()
    source.add_edge("a", (1, 2), weight=2.5)
    source.add_edge((1, 2), frozenset("x"))
    source.add_node("alone")
    graph, nodes = from_networkx(source)
    assert nodes == ["a", (1, 2), frozenset("x"), "alone"]
    np.testing.assert_array_equal(graph.degrees, [1, 2, 1, 0])
    np.testing.assert_array_equal(graph.weights, [2.5, 2.5, 1.0, 1.0])


def test_from_scipy_leaves_the_matrix_as_it_was_and_sums_duplicates():
    matrix = sp.coo_array(([1.0, 2.0, 3.0], ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    graph = CSRGraph.from_scipy(matrix)
    np.testing.assert_array_equal(graph.weights, [3.0, 3.0])
    assert matrix.nnz == 3
    unsorted = sp.csr_array(([2.0, 1.0], [1, 0], [0, 2, 2]), shape=(2, 2))
    CSRGraph.from_scipy(unsorted, directed=True)
    assert unsorted.indices.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, [], []), "n_vertices must lie in 0.*, got -1"),
        ((3, [0, 1], [1]), "same length, got 2, 1"),
        ((3, [0], [1], [1.0, 2.0]), "same length"),
        ((3, [0], [3]), r"heads must lie in 0..2, got 3 at position 0"),
        ((3, [0, -1], [1, 2]), r"tails must lie in 0..2, got -1 at position 1"),
        ((3, [0.5], [1]), "tails must be a one-dimensional array of integers, got float64"),
        ((3, [0], [1], [np.nan]), "weights must be finite, got nan at edge 0"),
        ((3, [0, 1], [1, 0]), r"edges must differ, got \(0, 1\) twice"),
        ((3, [2], [2]), "self-loop at vertex 2"),
    ],
)
def test_from_edges_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        CSRGraph.from_edges(*arguments)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (sp.csr_array((2, 3)), r"square, got shape \(2, 3\)"),
        (sp.csr_array([[0.0, 1.0], [0.0, 0.0]]), r"symmetric .* got 1.0 at \(0, 1\)"),
        (sp.csr_array([[0.0, 1.0], [2.0, 0.0]]), "symmetric"),
        (sp.csr_array([[1.0, 0.0], [0.0, 0.0]]), r"empty diagonal, got 1.0 at \(0, 0\)"),
        (sp.csr_array([[0.0, np.inf], [np.inf, 0.0]]), "finite weights, got inf"),
    ],
)
def test_from_scipy_refuses(matrix, message):
    with pytest.raises(ValueError, match=message):
        CSRGraph.from_scipy(matrix)


def test_conversions_refuse_other_types():
    with pytest.raises(TypeError, match="scipy sparse matrix, got ndarray"):
        from_scipy(np.eye(2))
    with pytest.raises(TypeError, match="networkx graph, got dict"):
        from_networkx({})
    with pytest.raises(ValueError, match="multigraph"):
        from_networkx(nx.MultiGraph())
    named = nx.Graph()
    named.add_edge("a", "b", weight="far")
    for value in ("far", "1", None, (1,)):
        named["a"]["b"]["weight"] = value
        with pytest.raises(ValueError, match=r"weight must be a number on every edge, got .* at"):
            from_networkx(named)
    for convert in (to_scipy, to_networkx):
        with pytest.raises(TypeError, match="graph must be a CSRGraph, got NoneType"):
            convert(None)
    with pytest.raises(ValueError, match="nodes must have 2 entries, got 1"):
        to_networkx(CSRGraph.from_edges(2, [0], [1]), ["a"])
    with pytest.raises(ValueError, match=r"permutation of 0..1"):
        CSRGraph.from_edges(2, [0], [1]).relabeled([0, 0])


def test_from_scipy_refuses_complex_weights_instead_of_dropping_a_part():
    matrix = sp.csr_array(np.array([[0.0, 1.0j], [1.0j, 0.0]]))
    with pytest.raises(TypeError, match="matrix must hold real numbers, got dtype complex128"):
        CSRGraph.from_scipy(matrix)


def test_vertices_that_do_not_exist_are_refused():
    graph = CSRGraph.from_edges(3, [0, 1], [1, 2])
    for vertex in (-1, 3, 1.5, "a", None):
        with pytest.raises(ValueError, match=r"vertex must be an integer in 0\.\.2, got"):
            graph.neighbors(vertex)
    for count in (1.5, "a", None):
        with pytest.raises(TypeError, match="n_vertices must be an integer, got"):
            CSRGraph.from_edges(count, [], [])
    for count in (-1, 2**40):
        with pytest.raises(ValueError, match=r"n_vertices must lie in 0\.\.\d+, got"):
            CSRGraph.from_edges(count, [], [])
