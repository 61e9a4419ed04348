"""Which feature belongs to which group, and what each group costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from problems.linear import check_real


@dataclass(frozen=True, slots=True)
class Groups:
    """A partition of the features.

    Attributes
    ----------
    members : ndarray of shape (n_features,), int32
        The features, group after group.
    ptr : ndarray of shape (n_groups + 1,), int64
        ``members[ptr[g]:ptr[g + 1]]`` is group g.
    """

    members: NDArray[np.int32]
    ptr: NDArray[np.int64]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Features in each group."""
        return np.diff(self.ptr)

    def __len__(self) -> int:
        return len(self.ptr) - 1

    def keep(self, kept: NDArray[np.bool_]) -> tuple[Groups, NDArray[np.int64]]:
        """Return groups of the features that are kept, and which groups are left with any.

        Parameters
        ----------
        kept : ndarray of shape (n_features,), bool
        """
        inside = kept[self.members]
        counts = np.add.reduceat(inside.astype(np.int64), self.ptr[:-1])
        left = np.flatnonzero(counts)
        ptr = np.concatenate([[0], np.cumsum(counts[left])]).astype(np.int64)
        return Groups(self.members[inside], ptr), left

    def with_last(self, members: NDArray[np.int32]) -> Groups:
        """Return these groups and one more."""
        ptr = np.append(self.ptr, self.ptr[-1] + len(members))
        return Groups(np.concatenate([self.members, members]), ptr)

    def of_features(self, values: NDArray) -> NDArray:
        """Return each feature's value, in the features' own order, of one value a group."""
        out = np.empty(len(self.members), dtype=values.dtype)
        out[self.members] = np.repeat(values, self.sizes)
        return out

    def places(self, chosen: NDArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the places in ``members`` that the chosen groups take, and their own pointers."""
        sizes = self.sizes[chosen]
        ptr = np.concatenate([[0], np.cumsum(sizes)])
        within = np.arange(ptr[-1]) - np.repeat(ptr[:-1], sizes)
        return np.repeat(self.ptr[:-1][chosen], sizes) + within, ptr


def read_groups(groups, n_features: int) -> Groups:
    """Read the ``groups`` argument of the estimators.

    Parameters
    ----------
    groups : int, list of int or list of lists of int
        The size of contiguous groups, which must divide ``n_features``; the sizes of contiguous
        groups; or the features of each group, which must be a partition.
    n_features : int

    Raises
    ------
    TypeError
        If ``groups`` is none of the three.
    ValueError
        If the groups miss a feature, repeat one, are empty or out of range.
    """
    if isinstance(groups, bool | np.bool_) or isinstance(groups, str):
        raise TypeError(f"groups must be an int or a list, got {groups!r}.")
    if isinstance(groups, int | np.integer):
        if groups < 1 or n_features % groups:
            raise ValueError(
                f"groups must be a size that divides n_features={n_features}, got {groups}."
            )
        return _contiguous(np.full(n_features // int(groups), int(groups)), n_features)
    if not isinstance(groups, Sequence | np.ndarray):
        raise TypeError(f"groups must be an int or a list, got {groups!r}.")
    if len(groups) == 0:
        raise ValueError("groups must hold at least one group, got none.")
    if all(isinstance(size, int | np.integer) for size in groups):
        sizes = np.asarray(groups, dtype=np.int64)
        if (sizes < 1).any():
            g = int(np.flatnonzero(sizes < 1)[0])
            raise ValueError(f"groups must have sizes of at least 1, got {sizes[g]} at group {g}.")
        return _contiguous(sizes, n_features)
    return _partition(groups, n_features)


def _contiguous(sizes: NDArray[np.int64], n_features: int) -> Groups:
    if sizes.sum() != n_features:
        raise ValueError(
            f"groups must have sizes that add up to n_features={n_features}, got {sizes.sum()}."
        )
    return Groups(np.arange(n_features, dtype=np.int32), np.concatenate([[0], np.cumsum(sizes)]))


def _partition(groups, n_features: int) -> Groups:
    parts = []
    for g, group in enumerate(groups):
        part = np.asarray(group)
        if part.ndim != 1 or part.dtype.kind not in "iu" or len(part) == 0:
            raise TypeError(
                f"groups must be lists of feature indices, at least one each, got {group!r} "
                f"at group {g}."
            )
        if part.min() < 0 or part.max() >= n_features:
            raise ValueError(
                f"groups must hold features from 0 to {n_features - 1}, got {part.min()} to "
                f"{part.max()} at group {g}."
            )
        parts.append(part)
    members = np.concatenate(parts)
    counts = np.bincount(members, minlength=n_features)
    if (counts > 1).any():
        j = int(np.flatnonzero(counts > 1)[0])
        raise ValueError(f"groups must not overlap, got feature {j} in {counts[j]} places.")
    if (counts == 0).any():
        j = int(np.flatnonzero(counts == 0)[0])
        raise ValueError(f"groups must cover every feature, got feature {j} in none.")
    sizes = np.array([len(part) for part in parts])
    return Groups(members.astype(np.int32), np.concatenate([[0], np.cumsum(sizes)]))


def read_group_weights(weights, groups: Groups) -> NDArray[np.float64]:
    """Return one factor a group, the square root of its size where ``weights`` is None.

    Raises
    ------
    ValueError
        If there is not one weight a group, one is negative or not finite, or all are zero.
    """
    if weights is None:
        return np.sqrt(groups.sizes.astype(np.float64))
    check_real("weights", weights)
    factors = np.asarray(weights, dtype=np.float64)
    if factors.shape != (len(groups),):
        raise ValueError(
            f"weights must be one a group, of shape ({len(groups)},), got {factors.shape}."
        )
    bad = np.flatnonzero(~((factors >= 0.0) & np.isfinite(factors)))
    if len(bad):
        g = bad[0]
        raise ValueError(f"weights must be finite and not negative, got {factors[g]} at group {g}.")
    if not factors.any():
        raise ValueError("weights must have an entry above zero, got zeros only.")
    return factors


def find_free(groups: Groups, l1, weight, *, positive: bool) -> NDArray[np.int32]:
    """Return the features without any penalty, ascending.

    Parameters
    ----------
    groups : Groups
    l1 : ndarray of shape (n_features,)
    weight : ndarray of shape (n_groups,)
    positive : bool

    Raises
    ------
    ValueError
        If there are any with ``positive``.
    """
    free = np.flatnonzero((l1 == 0.0) & (groups.of_features(weight) == 0.0)).astype(np.int32)
    if positive and len(free):
        raise ValueError(
            f"weights and penalty_factor must penalise every feature where positive=True, got "
            f"feature {free[0]} without a penalty; give it a small one."
        )
    return free


def start_groups(groups: Groups, squares, usable, x0, *, positive: bool):
    """Return what group problems begin with, in the order of ``groups.members``.

    Parameters
    ----------
    groups : Groups
    squares : ndarray of shape (n_features,)
        Squared lengths of the columns.
    usable : ndarray of shape (n_features,), bool
        Whether anything is left of the column.
    x0 : ndarray of shape (n_features,) or None
        Where to start; zeros when None.
    positive : bool

    Returns
    -------
    x : ndarray of shape (n_members,)
    squares : ndarray of shape (n_groups,)
        Of the usable columns of each group, in sum.
    """
    usable, x = usable[groups.members], np.zeros(len(groups.members))
    if x0 is not None:
        start = np.where(usable, x0[groups.members], 0.0)
        x[:] = np.maximum(start, 0.0) if positive else start
    kept = np.where(usable, squares[groups.members], 0.0)
    return x, np.add.reduceat(kept, groups.ptr[:-1])
