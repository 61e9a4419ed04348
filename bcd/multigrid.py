"""Hierarchies of aggregates for systems on graphs, by kernels in linear time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bcd._aggregation_kernels import aggregate, coarsen
from bcd._multigrid_kernels import Hierarchy

BOTTOM = 150  # a system of at most this many vertices is inverted
MAX_LEVELS = 25
SINGLE = 1e-25  # ratio of diagonal entries beyond which products leave single precision
MAX_BOTTOM = 2000  # where aggregation stalls, a system of this size is still inverted


def build_hierarchy(
    indptr: NDArray[np.uint32],
    middle: NDArray[np.uint32],
    indices: NDArray[np.uint32],
    values: NDArray[np.float64],
    diagonal: NDArray[np.float64],
) -> Hierarchy | None:
    """Aggregate a system, rows with their diagonal at ``middle``, until it is small.

    Returns
    -------
    Hierarchy or None
        None where aggregation stalls on a system too large to invert, or where weights differ by
        more than single precision can hold.
    """
    if diagonal.min() < SINGLE * diagonal.max():
        return None
    levels = [(indptr, middle, indices, values.astype(np.float32), diagonal)]
    groups: list[NDArray[np.int32]] = []
    while len(levels[-1][4]) > BOTTOM or len(levels) == 1:
        indptr, middle, indices, single, diagonal = levels[-1]
        n = len(diagonal)
        group = np.empty(n, dtype=np.int32)
        n_groups = aggregate(indptr, indices, single, np.empty(n), group)
        if n_groups > 0.9 * n or len(levels) == MAX_LEVELS:
            if len(levels) > 1 and n <= MAX_BOTTOM:
                break
            return None
        coarse = (
            np.empty(n_groups + 1, dtype=np.uint32),
            np.empty(n_groups, dtype=np.uint32),
            np.empty(len(indices), dtype=np.uint32),
            np.empty(len(indices), dtype=np.float32),
            np.empty(n_groups),
        )
        end = coarsen((indptr, middle, indices), single, diagonal, group, n_groups, *coarse)
        groups.append(group)
        levels.append((coarse[0], coarse[1], coarse[2][:end], coarse[3][:end], coarse[4]))
    return _flatten(levels, groups)


def _flatten(levels, groups) -> Hierarchy | None:
    row = np.cumsum([0, *(len(level[4]) for level in levels)], dtype=np.int64)
    indptr, _, indices, single, diagonal = levels[-1]
    n = len(diagonal)
    dense = np.zeros((n, n))
    dense[np.repeat(np.arange(n), np.diff(indptr)), indices] = single
    np.fill_diagonal(dense, diagonal)
    try:
        bottom = np.linalg.inv(dense)
    except np.linalg.LinAlgError:
        return None
    first, coarse = levels[0], levels[1:]
    shift = np.cumsum([0, *(len(level[2]) for level in coarse)], dtype=np.uint32)
    shifted = list(zip(coarse, shift, strict=False))
    return Hierarchy(
        row=row,
        first_indptr=first[0],
        first_middle=first[1],
        first_indices=first[2],
        first_values=first[3],
        first_inverse=(1.0 / first[4]).astype(np.float32),
        first_group=groups[0],
        indptr=np.concatenate([level[0] + begin for level, begin in shifted]),
        middle=np.concatenate([level[1] + begin for level, begin in shifted]),
        indices=np.concatenate([level[2] for level in coarse]),
        values=np.concatenate([level[3] for level in coarse]),
        inverse=(1.0 / np.concatenate([level[4] for level in coarse])).astype(np.float32),
        group=np.concatenate([*groups[1:], np.empty(0, dtype=np.int32)]),
        bottom=np.ascontiguousarray((bottom + bottom.T) / 2, dtype=np.float32),
    )
