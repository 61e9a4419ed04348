"""Ground floor: CSR graphs, forests, colourings and one indexed priority queue."""

from graphs.coloring import greedy_coloring
from graphs.convert import from_networkx, from_scipy, to_networkx, to_scipy
from graphs.csr import CSRGraph
from graphs.elimination import Elimination, eliminate, solve_forest
from graphs.forest import first_fit_forests, greedy_forest, lattice_combs, random_forest
from graphs.heap import IndexedHeap, make_heap
from graphs.neighbors import knn_graph, radius_graph, spatial_order

__all__ = [
    "CSRGraph",
    "Elimination",
    "IndexedHeap",
    "eliminate",
    "first_fit_forests",
    "from_networkx",
    "from_scipy",
    "greedy_coloring",
    "greedy_forest",
    "knn_graph",
    "lattice_combs",
    "make_heap",
    "radius_graph",
    "random_forest",
    "solve_forest",
    "spatial_order",
    "to_networkx",
    "to_scipy",
]
