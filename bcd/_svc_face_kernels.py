"""Newton steps on the free dual variables of kernel support vector machines, compiled.

Names as in ``bcd._svc_kernels``. While the others stay at their bounds, the free variables' sum is
fixed: the last of them makes up for what the others do, so that these solve a system with the
inner products of their differences from it.
"""

import numpy as np

from bcd._factor_kernels import DEPENDENT, add_multiple, dot
from bcd._svc_kernels import N_ACTIVE, WORK, hold_row, is_direct
from graphs._jit import kernel, lean_kernel

NOISE = 1e-13  # of the largest entry times all dual variables: what rounding leaves of a score
MOST_FREE = 1000  # whose system is solved: 8 MB
INNER, BLOCKED, NOTHING = 0, 1, 2


@lean_kernel
def count_free(duals, n):
    """Return how many of the first n variables are strictly between their bounds."""
    n_free = 0
    for t in range(n):
        n_free += duals.low[t] < duals.signed[t] < duals.high[t]
    return n_free


@lean_kernel
def face_entries(n_free, n):
    """Return what a Newton step costs, in entries that a step on a pair goes through."""
    return n_free * (n_free * (n_free // 30 + 4) + n // 4 + 100) + 3000


@lean_kernel
def _solve(gram, length, rest, noise, out):
    """Solve ``gram @ out = rest`` by Cholesky; False where ``gram`` is not semidefinite.

    A row that depends on those before it is left out if they solve it too, up to ``noise``; else
    the objective falls without end in its direction, and ``out`` is very long.

    gram : (m, m) of which the upper triangle is read and overwritten;  length : (m,) its diagonal
    rest, out : (m,) overwritten
    """
    m = len(rest)
    for c in range(m):
        pivot, least = gram[c, c], DEPENDENT * length[c]
        if not pivot >= -1e3 * least:
            return False
        out[c], gram[c, c] = 0.0, 0.0
        if pivot <= least and (abs(rest[c]) <= noise or least == 0.0):
            continue
        scale = np.sqrt(max(pivot, least))
        gram[c, c], out[c] = scale, rest[c] / scale
        for k in range(c + 1, m):
            gram[c, k] /= scale
        for k in range(c + 1, m):
            add_multiple(-gram[c, k], gram[c], gram[k], k, m)
        add_multiple(-out[c], gram[c], rest, c + 1, m)
    for c in range(m - 1, -1, -1):
        if gram[c, c] > 0.0:
            out[c] = (out[c] - dot(gram[c], out, c + 1, m)) / gram[c, c]
    return True


@kernel
def face_step(source, duals, store, state):
    """Move the free variables to where they belong together, or as far as the first bound.

    Returns INNER when they got there, BLOCKED when a variable reached its bound before, NOTHING
    when no step is possible: fewer than two are free, or too many, their rows are not at hand, or
    the kernel is not positive semidefinite.
    """
    n = state[N_ACTIVE]
    free = np.empty(count_free(duals, n), dtype=np.int64)
    m, largest, total = 0, 0.0, 0.0
    for t in range(n):
        total += abs(duals.signed[t])
        largest = max(largest, abs(duals.diagonal[t]))
        if duals.low[t] < duals.signed[t] < duals.high[t]:
            free[m] = t
            m += 1
    m -= 1
    if m < 1 or m >= min(len(store.last_use), MOST_FREE):
        return NOTHING
    rows = source if is_direct(source, duals, state) else store.rows
    slot = np.empty(m + 1, dtype=np.int64)
    for i in range(m + 1):
        slot[i] = hold_row(source, duals, store, state, free[i])
        if slot[i] < 0:
            return NOTHING
    state[WORK] += face_entries(m + 1, n)
    pivot = free[m]
    base, corner = rows[slot[m]], duals.diagonal[pivot]
    gram, length = np.empty((m, m)), np.empty(m)
    rest, change = np.empty(m), np.empty(m + 1)
    for i in range(m):
        row = rows[slot[i]]
        shift = corner - base[free[i]]
        for j in range(i, m):
            gram[i, j] = row[free[j]] - base[free[j]] + shift
        length[i] = gram[i, i]
        rest[i] = duals.score[free[i]] - duals.score[pivot]
    if not _solve(gram, length, rest, NOISE * largest * total, change[:m]):
        return NOTHING
    change[m] = -change[:m].sum()
    if not np.isfinite(change[m]):
        return NOTHING
    share, blocking = 1.0, -1
    for i in range(m + 1):
        t = free[i]
        bound = duals.high[t] if change[i] > 0.0 else duals.low[t]
        if abs(change[i]) * share > abs(bound - duals.signed[t]):
            share, blocking = abs((bound - duals.signed[t]) / change[i]), i
    for i in range(m + 1):
        t = free[i]
        bound = duals.high[t] if change[i] > 0.0 else duals.low[t]
        moved = duals.signed[t] + share * change[i]
        moved = min(max(moved, duals.low[t]), duals.high[t])
        duals.signed[t] = bound if i == blocking else moved
        add_multiple(-share * change[i], rows[slot[i]], duals.score, 0, n)
    return INNER if blocking < 0 else BLOCKED
