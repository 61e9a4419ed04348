"""Ground floor: CSR graphs, forests, colourings and one indexed priority queue."""

from graphs.convert import from_networkx, from_scipy, to_networkx, to_scipy
from graphs.csr import CSRGraph
from graphs.heap import IndexedHeap, make_heap

__all__ = [
    "CSRGraph",
    "IndexedHeap",
    "from_networkx",
    "from_scipy",
    "make_heap",
    "to_networkx",
    "to_scipy",
]
