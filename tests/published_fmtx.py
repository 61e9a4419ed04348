"""FMTx as published, transcribed literally: sets, dictionaries and full scans in plain Python.

Espahbodini Nia (2025), arXiv 2509.08521: the expansion takes the cheapest open vertex z; every
neighbour x with g(x) > g(z) + w(x, z) looks for the best of *its* open neighbours, tests that one
motion, and connects if it is free. Obstacles that appear orphan the subtrees behind tree motions
they hit; obstacles that vanish open the vertices around, as the orphans' neighbours are opened.
"""

import math

import numpy as np


class PublishedFMTx:
    def __init__(self, world, roadmap, root):
        self.world, self.points, self.root = world, roadmap.points, root
        rank = np.argsort(roadmap.caller_ids)  # neighbours are visited in the roadmap's own order
        graph = roadmap.graph
        self.longest = graph.weights.max()
        self.near = {}
        for v in range(roadmap.n_vertices):
            slots = range(graph.indptr[v], graph.indptr[v + 1])
            found = [(int(graph.indices[s]), float(graph.weights[s])) for s in slots]
            self.near[v] = sorted(found, key=lambda pair: rank[pair[0]])
        self.g = {v: math.inf for v in self.near}
        self.parent = dict.fromkeys(self.near)
        self.g[root] = 0.0
        self.open = {root}
        self.discs = world.discs

    def free(self, u, v):
        low, high = min(u, v), max(u, v)
        return bool(self.world.is_motion_free([self.points[low]], [self.points[high]])[0])

    def expand(self, robot=None):
        while self.open:
            z = min(self.open, key=lambda v: self.g[v])
            if robot is not None and self.g[z] >= self.g[robot]:
                break
            for x, length in self.near[z]:
                if self.g[x] > self.g[z] + length:
                    ways = [(self.g[y] + w, y) for y, w in self.near[x] if y in self.open]
                    cost, y = min(ways)
                    if self.free(x, y):
                        self.g[x], self.parent[x] = cost, y
                        self.open.add(x)
            self.open.remove(z)

    def update(self):
        before, self.discs = self.discs, self.world.discs
        freed = [
            disc
            for k, disc in before.items()
            if k not in self.discs or not np.array_equal(self.discs[k][0], disc[0])
        ]
        orphans = set()
        for x, y in self.parent.items():
            if y is not None and not self.free(x, y):
                orphans |= self.subtree(x)
        for x in orphans:
            self.g[x], self.parent[x] = math.inf, None
            self.open.discard(x)
        for x in orphans:
            self.open |= {y for y, _ in self.near[x] if self.g[y] < math.inf}
        for center, radius in freed:
            inside = (np.abs(self.points - center) <= radius + self.longest).all(axis=1)
            for v in np.flatnonzero(inside).tolist():
                around = [v, *(y for y, _ in self.near[v])]
                self.open |= {y for y in around if self.g[y] < math.inf}

    def subtree(self, top):
        members = {top}
        while True:
            more = {x for x, y in self.parent.items() if y in members} - members
            if not more:
                return members
            members |= more
