"""Coarse copies of a sparse symmetric system: aggregates and their Galerkin products."""

from __future__ import annotations

import numpy as np

from graphs._jit import kernel

STRONG = 0.25  # an edge counts in an aggregate if it has this share of its vertex's heaviest


@kernel
def aggregate(indptr, indices, values, strength, group):
    """Gather the vertices around centres whose strong neighbours are all still free.

    Vertices that are left over join the neighbouring aggregate that pulls hardest, or, where no
    neighbour was taken, gather with their free neighbours.

    values : (m,) float, rows with their diagonal; edges pull by -value, so a diagonal never does
    strength : (n,) float64, overwritten;  group : (n,) int32, overwritten
    Returns the number of aggregates.
    """
    n = len(group)
    for i in range(n):
        group[i] = -1
        heaviest = 0.0
        for s in range(indptr[i], indptr[i + 1]):
            heaviest = max(heaviest, -values[s])
        strength[i] = STRONG * heaviest
    count = 0
    for i in range(n):
        if group[i] >= 0 or strength[i] == 0.0:
            continue
        free = True
        for s in range(indptr[i], indptr[i + 1]):
            if group[indices[s]] >= 0 and -values[s] >= strength[i]:
                free = False
                break
        if free:
            group[i] = count
            for s in range(indptr[i], indptr[i + 1]):
                if -values[s] >= strength[i]:
                    group[indices[s]] = count
            count += 1
    first = count
    for i in range(n):
        if group[i] >= 0:
            continue
        best, hardest = -1, 0.0
        for s in range(indptr[i], indptr[i + 1]):
            g = group[indices[s]]
            if 0 <= g < first and -values[s] > hardest:
                best, hardest = g, -values[s]
        if best >= 0:
            group[i] = -2 - best  # not to be joined through before all have chosen
    for i in range(n):
        if group[i] < -1:
            group[i] = -2 - group[i]
    for i in range(n):
        if group[i] >= 0:
            continue
        group[i] = count
        for s in range(indptr[i], indptr[i + 1]):
            if group[indices[s]] < 0 and -values[s] >= strength[i]:
                group[indices[s]] = count
        count += 1
    return count


@kernel
def coarsen(
    rows, values, diagonal, group, n_groups, out_ptr, out_middle, out_index, out_value, out_d
):
    """Add up the system over aggregates; rows come with their diagonal, as they came in.

    rows : indptr, middle, indices;  diagonal : (n,) float64, the entries at ``middle`` in full
    out_ptr : (n_groups + 1,) uint32, out_middle : (n_groups,) uint32, out_index : (m,) uint32,
    out_value : (m,) float32, out_d : (n_groups,) float64; overwritten, m entries at most as fine
    Returns the number of entries.
    """
    indptr, middle, indices = rows
    n = len(group)
    start = np.zeros(n_groups + 1, dtype=np.int32)
    for i in range(n):
        start[group[i] + 1] += 1
    for g in range(n_groups):
        start[g + 1] += start[g]
    members, cursor = np.empty(n, dtype=np.int32), start.copy()
    for i in range(n):
        members[cursor[group[i]]] = i
        cursor[group[i]] += 1
    place = np.full(n_groups, -1, dtype=np.int32)
    row_index, row_value = np.empty(n_groups, dtype=np.int32), np.empty(n_groups)
    end = 0
    for g in range(n_groups):
        width, total = 0, 0.0
        for k in range(start[g], start[g + 1]):
            i = members[k]
            total += diagonal[i] - values[middle[i]]
            for s in range(indptr[i], indptr[i + 1]):
                h = group[indices[s]]
                if h == g:
                    total += values[s]
                elif place[h] < 0:
                    place[h] = width
                    row_index[width], row_value[width] = h, values[s]
                    width += 1
                else:
                    row_value[place[h]] += values[s]
        out_ptr[g], out_d[g] = end, total
        for side in range(2):
            for k in range(width):
                if (row_index[k] > g) == (side == 1):
                    out_index[end], out_value[end] = row_index[k], row_value[k]
                    end += 1
            if side == 0:
                out_middle[g], out_index[end], out_value[end] = end, g, total
                end += 1
        for k in range(width):
            place[row_index[k]] = -1
    out_ptr[n_groups] = end
    return end
