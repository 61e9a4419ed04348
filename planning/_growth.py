"""Carrying a planner's tree and collision answers over to a roadmap with more vertices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planning._edge_kernels import Edges
from planning._roads import Roads
from planning._tree_kernels import LINKED, Tree, begin_update, make_tree

_IDS = ("parent", "listed", "child", "next", "previous")  # per vertex, values are vertices
_VALUES = ("cost", "goal_link", "goal_of")  # per vertex, values stay


def carry_edges(
    old: Edges, new: Edges, before: Roads, after: Roads, place: NDArray[np.int32]
) -> None:
    """Hand the answers on the roads ``before`` on to ``new`` ones, those on the roads ``after``.

    ``place`` (n_before,) is where each vertex went. Counts of discs are not handed on.
    """
    n = np.int64(len(after.points))
    keys = new.tails * n + after.indices
    order = np.argsort(keys)
    wanted = place[old.tails] * n + place[before.indices]
    slots = order[np.searchsorted(keys, wanted, sorter=order)]
    new.known[slots] = old.known
    new.cost[slots] = old.cost
    new.since[place] = old.since
    new.hindered[place] = old.hindered
    new.age[:] = old.age
    new.checks[:] = old.checks


def carry_tree(old: Tree, n: int, place: NDArray[np.int32]) -> Tree:
    """Return the tree over ``n`` vertices, those it had at ``place``; the others are unreached."""
    begin_update(old)
    tree = make_tree(n, len(old.focus))
    for name in _VALUES:
        getattr(tree, name)[place] = getattr(old, name)
    for name in _IDS:
        ids = getattr(old, name)
        getattr(tree, name)[place] = np.where(ids >= 0, place[np.maximum(ids, 0)], ids)
    n_linked = old.counts[LINKED]
    tree.linked[:n_linked] = place[old.linked[:n_linked]]
    tree.counts[LINKED] = n_linked
    tree.focus[:] = old.focus
    tree.drift[:] = old.drift
    size = old.heap.size[0]
    tree.heap.order[:size] = place[old.heap.order[:size]]
    tree.heap.position[place] = old.heap.position
    tree.heap.key[place] = old.heap.key
    tree.heap.size[0] = size
    return tree
