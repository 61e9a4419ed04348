"""Bases in which the columns of each group are orthogonal; groups of one size are done together.

Square matrices, one a group, are stored one after the other; ``ptr`` says where each group's
features start.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


def square_ptr(ptr: NDArray) -> NDArray[np.int64]:
    """Return where each group's matrix starts, and the end of the last."""
    return np.concatenate([[0], np.cumsum(np.diff(ptr) ** 2)]).astype(np.int64)


def _classes(ptr: NDArray) -> Iterator[tuple[int, NDArray, NDArray]]:
    """Yield each size of group with the places of such groups' features and of their matrices."""
    sizes, squares = np.diff(ptr), square_ptr(ptr)
    for size in np.unique(sizes):
        which = np.flatnonzero(sizes == size)
        features = ptr[which][:, None] + np.arange(size)
        yield int(size), features, squares[which][:, None] + np.arange(size**2)


def inner_products(columns: NDArray, ptr: NDArray) -> Vector:
    """Return the Gram matrix of each group, of columns of shape (n_features, n_samples)."""
    out = np.empty(square_ptr(ptr)[-1])
    for _, features, places in _classes(ptr):
        part = columns[features]
        out[places] = (part @ part.transpose(0, 2, 1)).reshape(places.shape)
    return out


def diagonal_blocks(G: NDArray, ptr: NDArray) -> Vector:
    """Return the diagonal block of each group in a Gram matrix of all."""
    out = np.empty(square_ptr(ptr)[-1])
    for _, features, places in _classes(ptr):
        out[places] = G[features[:, :, None], features[:, None, :]].reshape(places.shape)
    return out


def eigenbases(blocks: Vector, ptr: NDArray) -> tuple[Vector, Vector]:
    """Return eigenvalues, ascending in each group and not negative, and the eigenvectors."""
    values, bases = np.empty(ptr[-1]), np.empty_like(blocks)
    for size, features, places in _classes(ptr):
        found, vectors = np.linalg.eigh(blocks[places].reshape(-1, size, size))
        values[features] = np.maximum(found, 0.0)
        bases[places] = vectors.reshape(places.shape)
    return values, bases


def rotated(bases: Vector, ptr: NDArray, rows: NDArray, *, back: bool = False) -> NDArray:
    """Return each group's rows (n_features, n) in its basis, or ``back`` from there."""
    out = np.empty(rows.shape)
    for size, features, places in _classes(ptr):
        basis = bases[places].reshape(-1, size, size)
        out[features] = (basis if back else basis.transpose(0, 2, 1)) @ rows[features]
    return out
