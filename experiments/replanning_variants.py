"""What else was tried for the planners: other queues, orders of vertices and edge books."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from experiments.replanning_report import table
from experiments.replanning_scenarios import drawn_discs, moving_discs
from graphs import CSRGraph, make_heap
from graphs._jit import kernel
from graphs.heap import heap_pop, heap_push_or_update
from planning import FMTx, Roadmap
from problems.worlds import BoxWorld, Union

ROUNDS = 7


@kernel
def indexed(graph, root, cost, heap):
    """Dijkstra with the indexed 4-ary heap of the house; ``heap`` is empty."""
    indptr, indices, length = graph
    cost[root] = 0.0
    heap_push_or_update(heap, root, 0.0)
    while heap.size[0] > 0:
        z = heap_pop(heap)
        for s in range(indptr[z], indptr[z + 1]):
            x = indices[s]
            through = cost[z] + length[s]
            if through < cost[x]:
                cost[x] = through
                heap_push_or_update(heap, x, through)


@kernel
def of_arity(graph, root, cost, order, position, key, arity):
    """Dijkstra with an indexed heap of any arity; the type of ``key`` (n,) is that of the keys.

    order : (n,) int32;  position : (n,) int32, all -1
    """
    indptr, indices, length = graph
    cost[root] = 0.0
    key[root] = 0.0
    order[0], position[root] = root, 0
    size = 1
    while size > 0:
        z = order[0]
        position[z] = -1
        size -= 1
        if size > 0:
            v, place = order[size], 0
            while True:
                first = arity * place + 1
                if first >= size:
                    break
                least = first
                for child in range(first + 1, min(first + arity, size)):
                    if key[order[child]] < key[order[least]]:
                        least = child
                if key[order[least]] >= key[v]:
                    break
                order[place] = order[least]
                position[order[place]] = place
                place = least
            order[place], position[v] = v, place
        for s in range(indptr[z], indptr[z + 1]):
            x = indices[s]
            through = cost[z] + length[s]
            if through < cost[x]:
                cost[x] = through
                key[x] = through
                place = position[x]
                if place < 0:
                    place = size
                    size += 1
                while place > 0:
                    above = (place - 1) // arity
                    u = order[above]
                    if key[u] <= key[x]:
                        break
                    order[place], position[u] = u, place
                    place = above
                order[place], position[x] = x, place


@kernel
def with_duplicates(graph, root, cost, key, vertex):
    """Dijkstra with a binary heap whose outdated entries are dropped when they come up.

    key : (m + 1,), vertex : (m + 1,) int32
    """
    indptr, indices, length = graph
    cost[root] = 0.0
    key[0], vertex[0] = 0.0, root
    size = 1
    while size > 0:
        least, z = key[0], vertex[0]
        size -= 1
        if size > 0:
            last, moved, place = key[size], vertex[size], 0
            while True:
                child = 2 * place + 1
                if child >= size:
                    break
                if child + 1 < size and key[child + 1] < key[child]:
                    child += 1
                if key[child] >= last:
                    break
                key[place], vertex[place] = key[child], vertex[child]
                place = child
            key[place], vertex[place] = last, moved
        if least > cost[z]:
            continue
        for s in range(indptr[z], indptr[z + 1]):
            x = indices[s]
            through = cost[z] + length[s]
            if through < cost[x]:
                cost[x] = through
                place = size
                size += 1
                while place > 0:
                    above = (place - 1) // 2
                    if key[above] <= through:
                        break
                    key[place], vertex[place] = key[above], vertex[above]
                    place = above
                key[place], vertex[place] = through, x


@kernel
def in_buckets(graph, root, cost, width, head, after, prior, bucket):
    """Settle all costs with buckets of keys ``width`` metres wide, each in no order.

    head : (k,) int32, all -1, k widths are more than any motion;  after, prior : (n,) int32
    bucket : (n,) int64, all -1
    """
    indptr, indices, length = graph
    n_buckets = head.shape[0]
    cost[root] = 0.0
    head[0] = root
    after[root], prior[root], bucket[root] = -1, -1, 0
    current, queued = 0, 1
    while queued > 0:
        while head[current % n_buckets] < 0:
            current += 1
        z = head[current % n_buckets]
        head[current % n_buckets] = after[z]
        if after[z] >= 0:
            prior[after[z]] = -1
        bucket[z] = -1
        queued -= 1
        for s in range(indptr[z], indptr[z + 1]):
            x = indices[s]
            through = cost[z] + length[s]
            if through < cost[x]:
                cost[x] = through
                place = int(through / width)
                if bucket[x] == place:
                    continue
                if bucket[x] >= 0:
                    if prior[x] >= 0:
                        after[prior[x]] = after[x]
                    else:
                        head[bucket[x] % n_buckets] = after[x]
                    if after[x] >= 0:
                        prior[after[x]] = prior[x]
                else:
                    queued += 1
                first = head[place % n_buckets]
                after[x], prior[x], bucket[x] = first, -1, place
                if first >= 0:
                    prior[first] = x
                head[place % n_buckets] = x


def _arrays(graph: CSRGraph):
    return graph.indptr, graph.indices, graph.weights


def searches(graph: CSRGraph, shuffled: CSRGraph) -> dict[str, Callable[[int], NDArray]]:
    """Return what computes all costs from a root, by name; ours first."""
    n, m = graph.n_vertices, len(graph.indices)
    longest = float(graph.weights.max())

    def run(search, *workspace):
        cost = np.full(n, np.inf)
        search(*workspace[:2], cost, *workspace[2:])
        return cost

    def arity(k, dtype=np.float64):
        return lambda root: run(
            of_arity,
            _arrays(graph),
            root,
            np.empty(n, np.int32),
            np.full(n, -1, np.int32),
            np.empty(n, dtype),
            k,
        )

    def buckets(share):
        width = share * longest
        return lambda root: run(
            in_buckets,
            _arrays(graph),
            root,
            width,
            np.full(int(1.0 / share) + 3, -1, np.int32),
            np.empty(n, np.int32),
            np.empty(n, np.int32),
            np.full(n, -1, np.int64),
        )

    return {
        "indexed 4-ary heap, spatial order (ours)": lambda root: run(
            indexed, _arrays(graph), root, make_heap(n)
        ),
        "vertices in random order": lambda root: run(
            indexed, _arrays(shuffled), root, make_heap(n)
        ),
        "arity 2": arity(2),
        "arity 4": arity(4),
        "arity 8": arity(8),
        "arity 4, float32 keys": arity(4, np.float32),
        "binary heap, lazy deletion": lambda root: run(
            with_duplicates, _arrays(graph), root, np.empty(m + 1), np.empty(m + 1, np.int32)
        ),
        "buckets, a twentieth of the longest motion": buckets(0.05),
        "buckets, a fifth of the longest motion": buckets(0.2),
    }


def queues(quick: bool) -> list[str]:
    """Time one tree from nothing with each queue, all in turn; all must find the same costs."""
    sizes = (1000,) if quick else (10_000, 100_000)
    times: dict[str, list[float]] = {}
    for n in sizes:
        data = drawn_discs(f"discs_n{n}_m1", 2)
        roadmap = Roadmap.from_points(data["points"], radius=float(data["rn_C1.5"]))
        rank = np.empty(roadmap.n_vertices, np.int64)
        rank[roadmap.caller_ids] = np.arange(roadmap.n_vertices)
        inner = roadmap.graph.relabeled(roadmap.caller_ids)
        root = int(rank[0])
        found = searches(inner, roadmap.graph)
        expected = found["indexed 4-ary heap, spatial order (ours)"](root)
        spent: dict[str, list[float]] = {name: [] for name in found}
        for k in range(ROUNDS + 1):
            for name, search in found.items():
                random = name == "vertices in random order"
                began = time.perf_counter()
                cost = search(0 if random else root)
                if k:  # the first compiles
                    spent[name].append(time.perf_counter() - began)
                cost = cost[roadmap.caller_ids] if random else cost
                precise = 1e-5 if "float32" in name else 1e-12
                if not np.allclose(cost, expected, rtol=precise):
                    raise RuntimeError(f"{name}: other costs than the indexed heap's")
        for name, seconds in spent.items():
            times.setdefault(name, []).append(float(np.median(seconds)))
    ours = next(iter(times.values()))
    rows = [
        [name, *(f"{1e3 * t:.2f} ({t / o:.2f})" for t, o in zip(found, ours, strict=True))]
        for name, found in times.items()
    ]
    header = ("queue", *(f"{n} samples, ms (ratio to ours)" for n in sizes))
    note = "All costs from the root, nothing blocked, C = 1.5; median of rounds in turn."
    return ["### Other queues, other orders of vertices", "", note, "", *table(header, rows)]


def edge_books(quick: bool) -> list[str]:
    """Time updates of FMTx with each way to know which motions are blocked, tick by tick."""
    name = "discs_n1000_m10" if quick else "discs_n10000_m10"
    scenario = moving_discs(name, 12 if quick else 101)

    def mixed(world):
        return Union(world, BoxWorld(world.bounds))  # where discs are not counted

    ways: dict[str, Callable] = {
        "discs counted on and off each motion (default)": lambda world, focus: FMTx(
            world, scenario.roadmap, focus=focus
        ),
        "answers lapse near a change, asked for when wanted": lambda world, focus: FMTx(
            world, scenario.roadmap, focus=focus, collision="lazy"
        ),
        "all motions near a change tested again at once": lambda world, focus: FMTx(
            mixed(world), scenario.roadmap, focus=focus, collision="proactive"
        ),
    }
    rows = []
    for label, make in ways.items():
        row = [label]
        for focus in (True, False):
            world = scenario.make_world()
            planner = make(world, focus)
            planner.set_goal(scenario.goal)
            planner.plan(scenario.starts[0])
            seconds, checks = [], []
            for tick in range(1, scenario.n_ticks):
                scenario.change(world, tick)
                began = time.perf_counter()
                update = planner.update()
                seconds.append(time.perf_counter() - began)
                checks.append(update.n_collision_checks)
            row += [f"{1e3 * np.median(seconds):.3f}", f"{np.mean(checks):.0f}"]
        rows.append(row)
    header = (
        "which motions are blocked",
        "one robot, ms",
        "motions asked a tick",
        "whole tree, ms",
        "motions asked a tick",
    )
    return [f"### Other edge books ({name}, update, median)", "", *table(header, rows)]


def variants(quick: bool) -> list[str]:
    """Show what was tried beside what is in use."""
    return [*queues(quick), "", *edge_books(quick)]
