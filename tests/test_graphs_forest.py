"""Forests and colourings against networkx, tree solves against dense algebra."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs import (
    CSRGraph,
    eliminate,
    first_fit_forests,
    greedy_coloring,
    greedy_forest,
    lattice_combs,
    random_forest,
    solve_forest,
)
from graphs.elimination import NOT_POSITIVE_DEFINITE, OK
from graphs.forest import find_root, unite

pytestmark = pytest.mark.kernel


@st.composite
def graphs(draw, max_vertices=14):
    n = draw(st.integers(1, max_vertices))
    pairs = [(u, v) for u in range(n) for v in range(u)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    weights = draw(st.lists(st.floats(0.1, 5), min_size=len(chosen), max_size=len(chosen)))
    tails, heads = [u for u, _ in chosen], [v for _, v in chosen]
    return CSRGraph.from_edges(n, tails, heads, weights)


def is_forest(graph, members):
    induced = graph.to_networkx().subgraph(members)
    return len(induced) == 0 or nx.is_forest(induced)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30))
def test_union_find_agrees_with_networkx_components(pairs):
    leader, size = np.arange(10, dtype=np.int32), np.ones(10, dtype=np.int32)
    joined = nx.empty_graph(10)
    for u, v in pairs:
        assert unite(leader, size, u, v) == (not nx.has_path(joined, u, v))
        joined.add_edge(u, v)
        for component in nx.connected_components(joined):
            assert len({find_root(leader, w) for w in component}) == 1
            assert size[find_root(leader, next(iter(component)))] == len(component)


@given(graphs(), st.randoms(use_true_random=False))
def test_first_fit_forests_are_acyclic_disjoint_and_first_fit(graph, random):
    order = list(range(graph.n_vertices))
    random.shuffle(order)
    label = first_fit_forests(graph, order)
    assert set(label.tolist()) == set(range(label.max() + 1))
    for forest in range(label.max() + 1):
        assert is_forest(graph, np.flatnonzero(label == forest))
    for place, v in enumerate(order):
        for forest in range(label[v]):  # no earlier forest would have taken it
            earlier = [u for u in order[:place] if label[u] == forest]
            assert not is_forest(graph, [*earlier, v])


@given(graphs(), st.integers(0, 5))
def test_forests_in_lipschitz_and_random_order_are_first_fit_in_it(graph, seed):
    pull = graph.to_scipy().sum(axis=1)
    by_pull = first_fit_forests(graph, "lipschitz")
    np.testing.assert_array_equal(
        by_pull, first_fit_forests(graph, np.argsort(-pull, kind="stable"))
    )
    order = np.random.default_rng(seed).permutation(graph.n_vertices)
    drawn = first_fit_forests(graph, "random", random_state=seed)
    np.testing.assert_array_equal(drawn, first_fit_forests(graph, order))
    with pytest.raises(ValueError, match="one of lipschitz, random, got 'size'"):
        first_fit_forests(graph, "size")


def test_lattice_combs_are_two_trees():
    for rows, columns in ((2, 1), (2, 2), (5, 4), (4, 7)):
        lattice = nx.convert_node_labels_to_integers(nx.grid_2d_graph(rows, columns))
        label = lattice_combs(rows, columns)
        for comb in (0, 1):
            assert nx.is_tree(lattice.subgraph(np.flatnonzero(label == comb).tolist()))
    with pytest.raises(ValueError, match="n_rows must be an integer of at least 2, got 1"):
        lattice_combs(1, 3)
    with pytest.raises(ValueError, match="n_rows must be an integer of at least 2, got 'a'"):
        lattice_combs("a", 2)
    with pytest.raises(ValueError, match=r"n_columns must be an integer of at least 1, got 2\.5"):
        lattice_combs(2, 2.5)


@given(graphs(), st.randoms(use_true_random=False))
def test_greedy_and_random_forests_are_acyclic_and_maximal(graph, random):
    score = np.array([random.choice([0.0, 1.0, random.random()]) for _ in range(graph.n_vertices)])
    greedy = greedy_forest(graph, score)
    taken = []
    for v in np.argsort(-score, kind="stable"):  # the definition, literally
        if is_forest(graph, [*taken, v]):
            taken.append(v)
    assert sorted(taken) == np.flatnonzero(greedy).tolist()
    member = random_forest(graph, np.random.default_rng(random.randrange(1000)))
    assert is_forest(graph, np.flatnonzero(member))
    for v in np.flatnonzero(~member):
        assert not is_forest(graph, [*np.flatnonzero(member), v])


@given(graphs(), st.integers(1, 3), st.randoms(use_true_random=False))
def test_solve_forest_agrees_with_dense_solve(graph, n_columns, random):
    member = random_forest(graph, np.random.default_rng(random.randrange(1000)))
    order, parent, slot = eliminate(graph, member)
    assert sorted(order) == np.flatnonzero(member).tolist()
    assert all(p == -1 or p > i for i, p in enumerate(parent))
    for i, (p, s) in enumerate(zip(parent, slot, strict=True)):
        if p >= 0:
            assert graph.tails()[s] == order[i] and graph.indices[s] == order[p]
    signed = graph.weights * np.where(graph.weights > 2, 1.0, -1.0)
    signed[graph.reverse] = signed
    dense = np.zeros((graph.n_vertices,) * 2)
    dense[graph.tails(), graph.indices] = signed
    diagonal = abs(dense).sum(axis=1) + 0.5
    dense[np.diag_indices_from(dense)] = diagonal
    rhs = np.array([[random.uniform(-1, 1) for _ in range(n_columns)] for _ in order])
    rhs = rhs.reshape(len(order), n_columns)
    out = np.empty_like(rhs)
    link = np.where(slot >= 0, dense[order, np.where(slot >= 0, order[parent], order)], 0.0)
    assert solve_forest(parent, diagonal[order], link, rhs, out) == OK
    expected = np.linalg.solve(dense[np.ix_(order, order)], rhs)
    np.testing.assert_allclose(out, expected, rtol=1e-8, atol=1e-10)
    assert solve_forest(parent, diagonal[order], link, out, out) == OK  # in place
    np.testing.assert_allclose(
        out, np.linalg.solve(dense[np.ix_(order, order)], expected), rtol=1e-8, atol=1e-10
    )


def belief_propagation_means(A, b, tree):
    # flooding: every directed edge's message from the last round's, until none can change
    precision = {edge: 0.0 for u, v in tree.edges for edge in ((u, v), (v, u))}
    information = dict.fromkeys(precision, 0.0)
    for _ in range(len(tree)):
        new_precision, new_information = {}, {}
        for u, v in precision:
            others = [w for w in tree[u] if w != v]
            own = A[u, u] + sum(precision[w, u] for w in others)
            held = b[u] + sum(information[w, u] for w in others)
            new_precision[u, v] = -(A[u, v] ** 2) / own
            new_information[u, v] = -A[u, v] * held / own
        precision, information = new_precision, new_information
    total = [A[v, v] + sum(precision[u, v] for u in tree[v]) for v in sorted(tree)]
    return np.array(
        [(b[v] + sum(information[u, v] for u in tree[v])) / total[v] for v in sorted(tree)]
    )


def test_solve_forest_is_gaussian_belief_propagation():
    for seed in range(5):
        tree = nx.random_labeled_tree(25, seed=seed)
        rng = np.random.default_rng(seed)
        graph = CSRGraph.from_scipy(nx.to_scipy_sparse_array(tree, nodelist=range(25), dtype=float))
        A = np.diag(graph.degrees + rng.uniform(0.1, 1.0, 25)) - graph.to_scipy().toarray()
        b, out = rng.standard_normal(25), np.empty((25, 1))
        order, parent, slot = eliminate(graph)
        link = np.where(slot >= 0, -1.0, 0.0)
        assert solve_forest(parent, np.diag(A)[order], link, b[order, None], out) == OK
        np.testing.assert_allclose(out[:, 0], belief_propagation_means(A, b, tree)[order])


def test_solve_forest_says_where_a_pivot_is_not_positive():
    parent = np.array([1, -1], dtype=np.int32)
    for diagonal in ([1.0, 1.0], [np.nan, 3.0], [-1.0, 3.0]):
        status = solve_forest(
            parent, np.array(diagonal), np.array([2.0, 0.0]), np.ones((2, 1)), np.empty((2, 1))
        )
        assert status == NOT_POSITIVE_DEFINITE


@given(graphs(), st.randoms(use_true_random=False))
def test_coloring_is_proper_and_greedy(graph, random):
    order = list(range(graph.n_vertices))
    random.shuffle(order)
    for color in (greedy_coloring(graph), greedy_coloring(graph, order)):
        assert (color[graph.tails()] != color[graph.indices]).all()
        for v in range(graph.n_vertices):  # every lower colour is taken by a neighbour
            assert set(range(color[v])) <= set(color[graph.neighbors(v)].tolist())


def test_breadth_first_coloring_is_red_black_on_a_lattice():
    lattice = nx.convert_node_labels_to_integers(nx.grid_2d_graph(7, 9))
    color = greedy_coloring(CSRGraph.from_scipy(nx.to_scipy_sparse_array(lattice)))
    assert set(color.tolist()) == {0, 1}


def test_forests_refuse_what_they_cannot_use():
    triangle = CSRGraph.from_edges(3, [0, 1, 2], [1, 2, 0])
    with pytest.raises(ValueError, match="induce a forest"):
        eliminate(triangle)
    with pytest.raises(ValueError, match=r"member must be a boolean array of shape \(3,\)"):
        eliminate(triangle, [0, 1, 2])
    with pytest.raises(ValueError, match=r"permutation of 0..2"):
        first_fit_forests(triangle, [0, 1, 1])
    with pytest.raises(ValueError, match=r"score must have shape \(3,\), got \(2,\)"):
        greedy_forest(triangle, [1.0, 2.0])
    with pytest.raises(ValueError, match="NaN at 1"):
        greedy_forest(triangle, [1.0, np.nan, 0.0])
    directed = CSRGraph.from_edges(3, [0], [1], directed=True)
    for call in (first_fit_forests, greedy_coloring, eliminate):
        with pytest.raises(ValueError, match="undirected"):
            call(directed)


@pytest.mark.parametrize("graph", [None, "a", np.eye(3)])
def test_what_is_no_graph_is_refused(graph):
    for ask in (
        first_fit_forests,
        eliminate,
        greedy_coloring,
        lambda g: greedy_forest(g, [1.0]),
        lambda g: random_forest(g, np.random.default_rng(0)),
    ):
        with pytest.raises(TypeError, match="graph must be a CSRGraph, got"):
            ask(graph)


def test_a_seed_of_a_random_order_is_checked():
    graph = CSRGraph.from_edges(3, [0, 1], [1, 2])
    with pytest.raises(ValueError, match=r"random_state must be None, an integer .*got 'a'"):
        first_fit_forests(graph, "random", random_state="a")
