"""A kernel support vector machine of two classes from start to end, compiled.

Names as in ``bcd._svc_kernels``.
"""

import numpy as np

from bcd._factor_kernels import add_multiple
from bcd._svc_face_kernels import BLOCKED, count_free, face_entries, face_step
from bcd._svc_kernels import (
    CONVERGED,
    FACE_PRICE,
    N_ACTIVE,
    N_HELD,
    N_ITER,
    NEEDS_SCORES,
    NEXT_SHRINK,
    OUT_OF_STEPS,
    RESTORED,
    SINCE_FACE,
    STALLED,
    WORK,
    descend_pairs,
)
from graphs._jit import kernel

BETWEEN_SHRINKS = 1000  # steps
BETWEEN_LOOKS = 16  # steps after which it is looked whether a Newton step is due
NEAR = 10.0  # times tol: where what was left out is looked at for the first time
FEWER = 0.9  # share of the variables of which at most are left, for leaving the others out to pay
CHEAP = 50_000  # entries a last Newton step may cost however few were gone through before it
LAST_WALKS = 20  # Newton steps to the end at most, each after steps on pairs have converged anew
PAYS = 0.5  # times the cost of a Newton step that steps on pairs have cost since the last


@kernel
def solve_pair(source, duals, store, state, y, tol, limit, shrinking, newton, ends):
    """Go on with a problem until no pair violates optimality by more than ``tol``.

    Variables that sit firmly at a bound are left out for a time. A Newton step on the free ones is
    taken whenever the steps on pairs since the last have cost a multiple of it (the rule by which
    one buys skis when the rent paid comes near their price). Where it is cheap the end is one, so
    that what is returned is exact on its face however large ``tol`` is.

    source, duals, store, state : changed in place
    y : (n,) labels in the order of the problem;  limit : steps at which to stop
    shrinking, newton : whether to leave variables out, and to take Newton steps
    ends : (2,) float64, overwritten: the violation is the first less the second
    Returns CONVERGED, OUT_OF_STEPS, STALLED, NEEDS_ROW where the row of ``state[MISSING]`` must be
    stored, or NEEDS_SCORES where those of variables that were left out must be computed, before
    ``restore_order``; in the last two cases this is next once more.
    """
    n = len(duals.score)
    settled_at, n_walks = -1, 0
    while True:
        partial = state[N_ACTIVE] < n
        until = NEAR * tol if partial and state[RESTORED] == 0 else tol
        last = min(limit, state[NEXT_SHRINK]) if shrinking else limit
        if newton:
            last = min(last, state[N_ITER] + BETWEEN_LOOKS)
        code = descend_pairs(source, duals, store, state, until, last, ends)
        if code in (CONVERGED, STALLED) and partial:
            if source.shape[0] == 0:
                return NEEDS_SCORES
            score_outside(source, duals, state, y)
            restore_order(duals, store, state)
        elif code == CONVERGED:
            cost = face_entries(count_free(duals, n), n)
            settled = settled_at == state[N_ITER] or n_walks == LAST_WALKS
            if not newton or settled or cost > max(state[WORK], CHEAP):
                return code
            n_walks += 1
            walk_face(source, duals, store, state)
            settled_at = state[N_ITER]
        elif code != OUT_OF_STEPS or state[N_ITER] >= limit:
            return code
        else:
            if shrinking and state[N_ITER] >= state[NEXT_SHRINK]:
                shrink(duals, store, state, ends)
                state[NEXT_SHRINK] += min(n, BETWEEN_SHRINKS)
            if newton:
                take_newton_steps(source, duals, store, state)


@kernel
def walk_face(source, duals, store, state):
    """Minimise on the free variables, fewer with each step that ends at a bound."""
    code = BLOCKED
    while code == BLOCKED:
        code = face_step(source, duals, store, state)


@kernel
def take_newton_steps(source, duals, store, state):
    """Minimise on the free variables if that is due."""
    n = state[N_ACTIVE]
    price = max(face_entries(count_free(duals, n), n), state[FACE_PRICE])
    if state[SINCE_FACE] < PAYS * price:
        return
    before = state[WORK]
    walk_face(source, duals, store, state)
    state[FACE_PRICE], state[SINCE_FACE] = state[WORK] - before, 0


@kernel
def shrink(duals, store, state, ends):
    """Put variables that sit at a bound, firmly by the violations in ``ends``, after the others."""
    n = state[N_ACTIVE]
    kept, left_out = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    n_kept, n_out = 0, 0
    for t in range(n):
        can_grow, can_fall = duals.signed[t] < duals.high[t], duals.signed[t] > duals.low[t]
        is_out = (not can_grow and duals.score[t] > ends[0]) or (
            not can_fall and duals.score[t] < ends[1]
        )
        if is_out:
            left_out[n_out] = t
            n_out += 1
        else:
            kept[n_kept] = t
            n_kept += 1
    if n_kept > FEWER * n:
        return
    order = np.concatenate((kept[:n_kept], left_out[:n_out]))
    for values in (duals.origin, duals.place):
        values[:n] = values[order]
    for numbers in (duals.signed, duals.low, duals.high, duals.score, duals.diagonal):
        numbers[:n] = numbers[order]
    place_of = np.full(n, -1, dtype=np.int64)
    place_of[order[:n_kept]] = np.arange(n_kept)
    store.row_of[:n] = -1
    n_held = 0
    for slot in range(state[N_HELD]):
        owner = place_of[store.holds[slot]]
        if owner >= 0:
            row, packed = store.rows[slot], store.rows[n_held]
            for i in range(n_kept):
                packed[i] = row[order[i]]
            store.holds[n_held], store.last_use[n_held] = owner, store.last_use[slot]
            store.row_of[owner] = n_held
            n_held += 1
    state[N_HELD] = n_held
    state[N_ACTIVE] = n_kept


@kernel
def score_outside(source, duals, state, y):
    """Compute the scores of variables that were left out."""
    n, n_active = len(duals.score), state[N_ACTIVE]
    for t in range(n_active, n):
        duals.score[t] = y[duals.origin[t]]
    for t in range(n):
        if duals.signed[t] != 0.0:
            row = source[duals.place[t]]
            for k in range(n_active, n):
                duals.score[k] -= duals.signed[t] * row[duals.place[k]]


@kernel
def restore_order(duals, store, state):
    """Look at all variables again, in the order of the problem; stored rows are forgotten."""
    order = np.argsort(duals.origin)
    for values in (duals.origin, duals.place):
        values[:] = values[order]
    for numbers in (duals.signed, duals.low, duals.high, duals.score, duals.diagonal):
        numbers[:] = numbers[order]
    n = len(order)
    store.row_of[:] = -1
    state[N_HELD], state[N_ACTIVE], state[RESTORED] = 0, n, 1
    state[NEXT_SHRINK] = state[N_ITER] + min(n, BETWEEN_SHRINKS)


@kernel
def finish_pair(source, duals, store, state, y, out):
    """Compute the scores afresh, where ``source`` is at hand, and certify the solution.

    out : (3,) float64, overwritten: the intercept (the mean of what free variables ask for, else
        the middle of what the others allow), the primal objective, its excess over the dual's,
        with what the sum of the variables, zero but for rounding, may add to it
    """
    n = len(y)
    score, signed = duals.score, duals.signed
    if source.shape[0] > 0:
        score[:] = y
        for t in range(n):
            if signed[t] == 0.0:
                continue
            if source.shape[0] == n:
                add_multiple(-signed[t], source[t], score, 0, n)
            elif store.row_of[t] >= 0:
                add_multiple(-signed[t], store.rows[store.row_of[t]], score, 0, n)
            else:
                row = source[duals.place[t]]
                for k in range(n):
                    score[k] -= signed[t] * row[duals.place[k]]
    n_free, total = 0, 0.0
    top, bottom = -np.inf, np.inf
    quadratic, gain, loss, balance = 0.0, 0.0, 0.0, 0.0
    for t in range(n):
        quadratic += signed[t] * (y[t] - score[t])
        gain += y[t] * signed[t]
        balance += signed[t]
        can_grow, can_fall = signed[t] < duals.high[t], signed[t] > duals.low[t]
        if can_grow and can_fall:
            n_free += 1
            total += score[t]
        if can_grow:
            top = max(top, score[t])
        if can_fall:
            bottom = min(bottom, score[t])
    intercept = total / n_free if n_free > 0 else 0.5 * (top + bottom)
    for t in range(n):
        # 1 - y (w'phi + intercept), as y^2 = 1
        loss += (duals.high[t] - duals.low[t]) * max(y[t] * (score[t] - intercept), 0.0)
    out[0], out[1] = intercept, 0.5 * quadratic + loss
    out[2] = max(out[1] - gain + 0.5 * quadratic, 0.0) + abs(intercept * balance)
