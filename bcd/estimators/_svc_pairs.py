"""What kernel support vector machines do with pairs of classes: layout of duals, and votes."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

BETWEEN_VOTES = 3.0  # sums of decision values, squashed, are below one over this


def pairs_of(n_classes: int) -> list[tuple[int, int]]:
    """Return all pairs of classes, in the order of scikit-learn's."""
    return list(itertools.combinations(range(n_classes), 2))


def lay_out(signed: NDArray, n_support: NDArray) -> NDArray[np.float64]:
    """Return dual variables as scikit-learn lays them out, from rows by pair of classes.

    A support vector of class c meets the others in their order, itself left out.

    Parameters
    ----------
    signed : ndarray of shape (n_pairs, n_support_vectors)
        Class by class.
    n_support : ndarray of shape (n_classes,)

    Returns
    -------
    ndarray of shape (n_classes - 1, n_support_vectors)
    """
    ends = np.concatenate([[0], np.cumsum(n_support)])
    dual = np.zeros((len(n_support) - 1, signed.shape[1]))
    for row, (first, second) in zip(signed, pairs_of(len(n_support)), strict=True):
        mine, other = (slice(ends[c], ends[c + 1]) for c in (first, second))
        dual[second - 1, mine] = row[mine]
        dual[first, other] = row[other]
    return dual


def by_pair(dual: NDArray, n_support: NDArray) -> NDArray[np.float64]:
    """Return dual variables by pair of classes: what ``lay_out`` was given."""
    ends = np.concatenate([[0], np.cumsum(n_support)])
    pairs = pairs_of(len(n_support))
    signed = np.zeros((len(pairs), dual.shape[1]))
    for row, (first, second) in zip(signed, pairs, strict=True):
        mine, other = (slice(ends[c], ends[c + 1]) for c in (first, second))
        row[mine] = dual[second - 1, mine]
        row[other] = dual[first, other]
    return signed


def count_votes(scores: NDArray, n_classes: int) -> tuple[NDArray, NDArray]:
    """Return votes by class, and the sums of its decision values, squashed below a vote."""
    votes, sums = np.zeros((len(scores), n_classes)), np.zeros((len(scores), n_classes))
    for score, (first, second) in zip(scores.T, pairs_of(n_classes), strict=True):
        votes[:, first] += score >= 0.0
        votes[:, second] += score < 0.0
        sums[:, first] += score
        sums[:, second] -= score
    return votes, sums / (BETWEEN_VOTES * (np.abs(sums) + 1.0))
