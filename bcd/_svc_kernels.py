"""Kernel support vector machines: greedy pairs of two dual variables, compiled.

Maximise ``y'b - 1/2 b'Kb`` over ``low <= b <= high`` and ``sum(b) = 0``, b the dual variables
times labels. Names: ``score = y - K b`` the gradient; a variable whose score is above another's
may grow at the other's expense. ``source`` is the kernel matrix of all samples, of shape (0, 0)
where it is not at hand; ``place`` says where in it a variable's sample is.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs._jit import inline_sum_kernel, inner_kernel, inner_sum_kernel, larger, lean_kernel

CONVERGED, NEEDS_ROW, OUT_OF_STEPS, STALLED, NEEDS_SCORES = 0, 1, 2, 3, 4
FLAT = 1e-12  # curvature put in place of one that is not positive
# Variables of which the best is told from other runs' best before it is looked for; unsigned, as
# indices that may count from the end keep loops from being run eight abreast.
FIRST, RUN = np.uint64(0), np.uint64(64)
STEP_ENTRIES = 100  # what a step costs besides its entries, as so many of them

# places in ``state``, an array of int64
N_ACTIVE, N_ITER, CLOCK, N_HELD, MISSING, NEXT_SHRINK, RESTORED = range(7)
WORK, SINCE_FACE, FACE_PRICE = range(7, 10)  # entries gone through, since and in Newton steps
N_STATE = 10


class Duals(NamedTuple):
    """Variables in their present order: those that are looked at come first.

    origin : their numbers in the problem;  signed : b;  the rest as the module says
    """

    origin: NDArray[np.int64]
    place: NDArray[np.int64]
    signed: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    score: NDArray[np.float64]
    diagonal: NDArray[np.float64]


class Store(NamedTuple):
    """Rows of the kernel matrix between variables, in their present order.

    rows : (capacity, n);  row_of : (n,) which of them is a variable's, -1 for none;
    holds : (capacity,) whose row it is;  last_use : (capacity,) when it was used last
    """

    rows: NDArray[np.float64]
    row_of: NDArray[np.int64]
    holds: NDArray[np.int64]
    last_use: NDArray[np.int64]


@lean_kernel
def claim(store, state, t):
    """Return a place for the row of variable t: a free one, else that used least recently."""
    slot = state[N_HELD]
    if slot < len(store.last_use):
        state[N_HELD] += 1
    else:
        slot = 0
        for other in range(len(store.last_use)):
            if store.last_use[other] < store.last_use[slot]:
                slot = other
        store.row_of[store.holds[slot]] = -1
    state[CLOCK] += 1
    store.row_of[t], store.holds[slot], store.last_use[slot] = slot, t, state[CLOCK]
    return slot


@inner_kernel
def is_direct(source, duals, state):
    """Tell whether rows of ``source`` are those of the problem, entry by entry."""
    return source.shape[0] == state[N_ACTIVE] == len(duals.score)


@inner_kernel
def hold_row(source, duals, store, state, t):
    """Have the row of variable t at hand, and return which it is of ``source`` or the store's.

    Returns -1, and t in ``state[MISSING]``, where it must be made.
    """
    if is_direct(source, duals, state):
        return t
    slot = store.row_of[t]
    if slot >= 0:
        state[CLOCK] += 1
        store.last_use[slot] = state[CLOCK]
        return slot
    if source.shape[0] == 0:
        state[MISSING] = t
        return -1
    slot = claim(store, state, t)
    whole, row = source[duals.place[t]], store.rows[slot]
    for k in range(state[N_ACTIVE]):
        row[k] = whole[duals.place[k]]
    return slot


@inner_sum_kernel
def find_ends(duals, n, ends):
    """Return which variable may grow and has the largest score, -1 for none.

    ends : (2,) overwritten: this score, and the least of those that may shrink
    """
    score, signed, low, high = duals.score, duals.signed, duals.low, duals.high
    top, bottom, best, end = -np.inf, -np.inf, FIRST, np.uint64(n)
    for start in range(FIRST, end, RUN):
        above, below = -np.inf, -np.inf
        for t in range(start, min(start + RUN, end)):
            above = larger(score[t] if signed[t] < high[t] else -np.inf, above)
            below = larger(-score[t] if signed[t] > low[t] else -np.inf, below)
        if above > top:
            top, best = above, np.uint64(start)
        bottom = larger(below, bottom)
    ends[0], ends[1] = top, -bottom
    for t in range(best, min(best + RUN, end)):
        if score[t] == top and signed[t] < high[t]:
            return np.int64(t)
    return -1


@inline_sum_kernel
def _gain(duals, left, base, top, t):
    slope = larger(top - duals.score[t], 0.0)
    gain = slope * slope / larger(base + duals.diagonal[t] - 2.0 * left[t], FLAT)
    return gain if duals.signed[t] > duals.low[t] else 0.0


@inner_sum_kernel
def find_second(duals, n, left, base, top):
    """Return the variable whose decrease gains most, bounds left aside, -1 for none.

    left, base, top : row, diagonal entry and score of the variable that grows
    """
    most, best, end = 0.0, FIRST, np.uint64(n)
    for start in range(FIRST, end, RUN):
        gain = 0.0
        for t in range(start, min(start + RUN, end)):
            gain = larger(_gain(duals, left, base, top, t), gain)
        if gain > most:
            most, best = gain, np.uint64(start)
    second, most = np.int64(-1), 0.0
    for t in range(best, min(best + RUN, end)):
        gain = _gain(duals, left, base, top, t)
        if gain > most:
            second, most = np.int64(t), gain
    return second


@inner_kernel
def _subtract(score, change, left, right, n):
    for t in range(n):
        score[t] -= change * (left[t] - right[t])


@lean_kernel
def descend_pairs(source, duals, store, state, tol, last, ends):
    """Take exact steps on greedy pairs until the largest violation is at most ``tol``.

    The first of a pair violates most; the second is the one with which the exact step gains most,
    bounds left aside (Fan, Chen & Lin, 2005, working set selection 2: gs-q for two variables that
    share a constraint).

    last : the number of steps, counted in ``state[N_ITER]``, at which to stop
    ends : (2,) float64, overwritten: the violation is the first less the second
    Returns CONVERGED, NEEDS_ROW, OUT_OF_STEPS, or STALLED when a step is lost in rounding.
    """
    n = state[N_ACTIVE]
    signed, diagonal = duals.signed, duals.diagonal
    rows = source if is_direct(source, duals, state) else store.rows
    while True:
        first = find_ends(duals, n, ends)
        if first < 0 or ends[0] - ends[1] <= tol:
            return CONVERGED
        if not ends[0] - ends[1] < np.inf:
            return STALLED
        if state[N_ITER] >= last:
            return OUT_OF_STEPS
        slot = hold_row(source, duals, store, state, first)
        if slot < 0:
            return NEEDS_ROW
        left = rows[slot]
        second = find_second(duals, n, left, diagonal[first], ends[0])
        if second < 0:
            return CONVERGED
        slot = hold_row(source, duals, store, state, second)
        if slot < 0:
            return NEEDS_ROW
        right = rows[slot]
        curvature = max(diagonal[first] + diagonal[second] - 2.0 * left[second], FLAT)
        length = (ends[0] - duals.score[second]) / curvature
        room_up, room_down = duals.high[first] - signed[first], signed[second] - duals.low[second]
        change = min(length, room_up, room_down)
        grown = duals.high[first] if change == room_up else signed[first] + change
        shrunk = duals.low[second] if change == room_down else signed[second] - change
        if grown == signed[first] and shrunk == signed[second]:
            return STALLED
        signed[first] = min(grown, duals.high[first])
        signed[second] = max(shrunk, duals.low[second])
        _subtract(duals.score, change, left, right, n)
        state[N_ITER] += 1
        state[WORK] += n + STEP_ENTRIES
        state[SINCE_FACE] += n + STEP_ENTRIES
