"""How coordinates are divided into blocks before the first iteration.

``order``      consecutive coordinates
``sorted``     by L_i, so that blocks hold coordinates of like curvature
``averaged``   the largest L_i with the smallest, half of a block from each end
``random``     a random permutation
``forest``     blocks that induce forests of the problem's graph (see ``problems.graph``)
``colors``     blocks without edges, from a greedy colouring of the problem's graph
``variable``   no partition: the block is chosen anew each iteration
A sequence of index arrays is taken as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

PARTITIONS = ("order", "sorted", "averaged", "random", "forest", "colors", "groups", "variable")

Blocks = list[NDArray[np.int32]]


def _cut(order: NDArray, block_size: int) -> Blocks:
    n_blocks = -(-len(order) // block_size)
    return [
        np.ascontiguousarray(order[b * block_size : (b + 1) * block_size], dtype=np.int32)
        for b in range(n_blocks)
    ]


def order_partition(n: int, block_size: int) -> Blocks:
    """Consecutive coordinates, ``block_size`` at a time; the last block may be smaller.

    Examples
    --------
    >>> [block.tolist() for block in order_partition(5, 2)]
    [[0, 1], [2, 3], [4]]
    """
    return _cut(np.arange(n), block_size)


def sorted_partition(lipschitz: NDArray, block_size: int) -> Blocks:
    """Coordinates by decreasing L_i: like with like, so that few blocks have a large L_b.

    Examples
    --------
    >>> [block.tolist() for block in sorted_partition(np.array([1.0, 9.0, 2.0, 8.0]), 2)]
    [[1, 3], [2, 0]]
    """
    return _cut(np.argsort(-lipschitz, kind="stable"), block_size)


def averaged_partition(lipschitz: NDArray, block_size: int) -> Blocks:
    """Largest L_i with smallest: half of a block from each end of the sorted coordinates.

    Examples
    --------
    >>> [block.tolist() for block in averaged_partition(np.array([1.0, 9.0, 2.0, 8.0]), 2)]
    [[1, 0], [3, 2]]
    """
    order = np.argsort(-lipschitz, kind="stable")
    half = -(-len(order) // 2)
    woven = np.empty_like(order)
    woven[0::2], woven[1::2] = order[:half], order[half:][::-1]
    return _cut(woven, block_size)


def random_partition(n: int, block_size: int, rng: np.random.Generator) -> Blocks:
    """Blocks of a random permutation."""
    return _cut(rng.permutation(n), block_size)


def user_partition(blocks: Sequence[ArrayLike], n: int, name: str = "partition") -> Blocks:
    """Check a user's blocks: every coordinate in exactly one; ``name`` is the argument's.

    Raises
    ------
    TypeError
        If an index is not an integer.
    ValueError
        If a coordinate is missed, repeated or out of range, or a block is empty.
    """
    result: Blocks = []
    for b, block in enumerate(blocks):
        try:
            indices = np.asarray(block)
        except ValueError:
            raise TypeError(f"{name} must hold arrays of integers, got {block!r}.") from None
        if indices.ndim != 1 or len(indices) == 0:
            raise ValueError(
                f"{name} must hold non-empty one-dimensional blocks, got shape "
                f"{indices.shape} at block {b}."
            )
        if indices.dtype.kind not in "iu":
            raise TypeError(f"{name} must hold integers, got dtype {indices.dtype} at block {b}.")
        outside = (indices < 0) | (indices >= n)
        if outside.any():
            raise ValueError(
                f"{name} must hold coordinates in 0..{n - 1}, got {indices[outside][0]}."
            )
        result.append(np.ascontiguousarray(indices, dtype=np.int32))
    counts = np.bincount(np.concatenate(result), minlength=n) if result else np.zeros(n, int)
    if np.any(counts > 1):
        raise ValueError(
            f"{name} must hold every coordinate once, "
            f"got coordinate {np.flatnonzero(counts > 1)[0]} more than once."
        )
    if np.any(counts == 0):
        raise ValueError(
            f"{name} must hold every coordinate once, "
            f"got none for coordinate {np.flatnonzero(counts == 0)[0]}."
        )
    return result
