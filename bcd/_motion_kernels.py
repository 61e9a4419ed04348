"""Moving a block: which samples it moves, what that changes, and the books brought up to date."""

import math

from bcd._state import (
    LAST_CHANGE,
    LOSS,
    N_ACTIVE,
    N_COORDINATES,
    N_ROWS,
    PENALTY,
)
from graphs._jit import inner_kernel, kernel
from problems._linear_kernels import (
    DENSE,
    QUADRATIC,
    SPARSE,
    SPARSE_QUADRATIC,
    add_column,
    add_quadratic_row,
    all_slopes,
    compute_scores,
    coordinate_gradient,
    full_gradient,
    quadratic_gradient,
    row_slope,
)
from problems.losses import MULTINOMIAL, SQUARES, loss_value, softmax_row
from problems.penalties import is_active, penalty_value

FULL_PASS_RATIO = 4  # a scattered multiply costs about this many of a straight pass


@kernel
def refresh(problem, rules, state):
    """Bring every book up to date from x alone; this also removes the drift of rounding."""
    x = state.x
    if problem.kind >= QUADRATIC:
        state.totals[LOSS] = quadratic_gradient(problem, x, state.gradient)
    else:
        compute_scores(problem, x, state.z)
        state.totals[LOSS] = all_slopes(problem, state.z, state.slope)
        if rules.full:
            full_gradient(problem, state.slope, state.gradient)
    total, n_active = 0.0, 0
    kink = zero_kink(problem)
    for i in range(len(x)):
        total += penalty_value(x[i], problem.l1, problem.l2)
        if is_active(x[i], kink, problem.lower[i], problem.upper[i]):
            n_active += 1
    for b in range(len(problem.group_weight)):
        total += group_value(problem, rules, state, b)
    state.totals[PENALTY] = total
    state.counters[N_ACTIVE] = n_active


@inner_kernel
def zero_kink(problem):
    """Above zero where the penalty holds coordinates at zero."""
    return problem.l1 if len(problem.group_weight) == 0 else 1.0


@inner_kernel
def group_value(problem, rules, state, b):
    """Penalty of group b's length."""
    total = 0.0
    for e in range(rules.block_ptr[b], rules.block_ptr[b + 1]):
        u = state.x[rules.block_index[e]]
        total += u * u
    return problem.group_weight[b] * math.sqrt(total)


@inner_kernel
def block_gradient(problem, rules, state, m, work):
    """Gather the smooth part's gradient on the block into ``work.g``."""
    for a in range(m):
        i = work.block[a]
        if rules.full or problem.kind >= QUADRATIC:
            work.g[a] = state.gradient[i]
        else:
            work.g[a] = coordinate_gradient(problem, i, state.slope)


@inner_kernel
def begin_motion(problem, state, m, step, work):
    """Set ``work.motion = A_b step`` and list the samples it moves in ``work.rows``."""
    k = problem.n_scores
    if problem.kind == DENSE:
        n = len(problem.target)
        for a in range(m):
            if step[a] != 0.0:
                add_column(problem, work.block[a] // k, work.block[a] % k, step[a], work.motion)
        if state.counters[N_ROWS] != n:
            for r in range(n):
                work.rows[r] = r
            state.counters[N_ROWS] = n
        return
    state.counters[N_ROWS] = 0
    for a in range(m):
        if step[a] == 0.0:
            continue
        j, c = work.block[a] // k, work.block[a] % k
        for e in range(problem.col_ptr[j], problem.col_ptr[j + 1]):
            r = problem.col_index[e]
            if work.row_stamp[r] == 0:
                work.row_stamp[r] = 1
                work.rows[state.counters[N_ROWS]] = r
                state.counters[N_ROWS] += 1
            work.motion[r * k + c] += step[a] * problem.col_value[e]


@inner_kernel
def end_motion(problem, state, work):
    """Clear what :func:`begin_motion` has set."""
    k = problem.n_scores
    if problem.kind == DENSE:
        work.motion[:] = 0.0
        return
    for e in range(state.counters[N_ROWS]):
        r = work.rows[e]
        work.row_stamp[r] = 0
        for c in range(k):
            work.motion[r * k + c] = 0.0


@inner_kernel
def loss_change(problem, state, t, work):
    """Return the loss after ``t`` times the prepared motion, minus the loss now."""
    k, total = problem.n_scores, 0.0
    for e in range(state.counters[N_ROWS]):
        r = work.rows[e]
        y = problem.target[r]
        if problem.loss.tag == MULTINOMIAL:
            now, then = state.z[r * k : (r + 1) * k], work.motion[r * k : (r + 1) * k]
            before = softmax_row(now, int(y), work.slope_change)
            trial = work.hessian.dense[:k]
            for c in range(k):
                trial[c] = now[c] + t * then[c]
            total += softmax_row(trial, int(y), work.slope_change) - before
            trial[:] = 0.0
        elif problem.loss.tag == SQUARES:
            move = t * work.motion[r]
            total += move * (state.z[r] - y + 0.5 * move)
        else:
            before = loss_value(problem.loss, state.z[r], y)
            total += loss_value(problem.loss, state.z[r] + t * work.motion[r], y) - before
    return total


@inner_kernel
def move_block(problem, rules, state, m, step, work, iteration):
    """Apply a step to the block: x, penalty, active count, then the smooth part's books.

    Returns whether x changed at all.
    """
    l1, l2, kink = problem.l1, problem.l2, zero_kink(problem)
    changed = False
    penalty, n_active = 0.0, 0
    flipped = False
    for a in range(m):
        i = work.block[a]
        lower, upper = problem.lower[i], problem.upper[i]
        old = state.x[i]
        new = min(max(old + step[a], lower), upper)
        step[a] = new - old
        if new == old:
            continue
        changed = True
        penalty += penalty_value(new, l1, l2) - penalty_value(old, l1, l2)
        before, after = is_active(old, kink, lower, upper), is_active(new, kink, lower, upper)
        if before != after:
            flipped = True
            n_active += 1 if after else -1
        state.x[i] = new
    if not changed:
        return False
    if flipped:
        state.counters[N_ACTIVE] += n_active
        state.counters[LAST_CHANGE] = iteration
    state.totals[PENALTY] += penalty
    state.counters[N_COORDINATES] = 0
    if problem.kind >= QUADRATIC:
        move_quadratic(problem, rules, state, m, step, work)
    else:
        begin_motion(problem, state, m, step, work)
        move_scores(problem, rules, state, work)
        end_motion(problem, state, work)
    return True


@inner_kernel
def note_coordinate(state, work, i):
    """Remember that gradient i changed."""
    if work.coordinate_stamp[i] == 0:
        work.coordinate_stamp[i] = 1
        work.coordinates[state.counters[N_COORDINATES]] = i
        state.counters[N_COORDINATES] += 1


@inner_kernel
def move_quadratic(problem, rules, state, m, step, work):
    """Gradient and value of a quadratic after a step on the block."""
    total = 0.0
    for a in range(m):
        total += step[a] * state.gradient[work.block[a]]
    for a in range(m):
        if step[a] == 0.0:
            continue
        i = work.block[a]
        add_quadratic_row(problem, i, step[a], state.gradient)
        if rules.heap and problem.kind == SPARSE_QUADRATIC:
            for e in range(problem.col_ptr[i], problem.col_ptr[i + 1]):
                note_coordinate(state, work, problem.col_index[e])
    for a in range(m):
        total += step[a] * state.gradient[work.block[a]]
    state.totals[LOSS] += 0.5 * total


@inner_kernel
def move_scores(problem, rules, state, work):
    """Scores, slopes, loss and (where it is kept) gradient after the prepared motion."""
    k, n_rows = problem.n_scores, state.counters[N_ROWS]
    n = len(problem.target)
    by_rows = False
    if rules.full and problem.kind == SPARSE:
        n_entries = 0
        for e in range(n_rows):
            r = work.rows[e]
            n_entries += problem.row_ptr[r + 1] - problem.row_ptr[r]
        by_rows = FULL_PASS_RATIO * n_entries < len(problem.row_value)
    if not by_rows and 4 * n_rows > n:
        for q in range(n * k):
            state.z[q] += work.motion[q]
        state.totals[LOSS] = all_slopes(problem, state.z, state.slope)
    else:
        state.totals[LOSS] += loss_change(problem, state, 1.0, work)
        for e in range(n_rows):
            r = work.rows[e]
            for c in range(k):
                state.z[r * k + c] += work.motion[r * k + c]
                work.slope_change[c] = state.slope[r * k + c]
            row_slope(problem, r, state.z, state.slope)
            if by_rows:
                for c in range(k):
                    work.slope_change[c] = state.slope[r * k + c] - work.slope_change[c]
                scatter_row(problem, rules, state, r, work)
    if rules.full and not by_rows:
        full_gradient(problem, state.slope, state.gradient)
        state.counters[N_COORDINATES] = -1  # everything


@inner_kernel
def scatter_row(problem, rules, state, r, work):
    """Add one sample's change of slope to the gradients of the coordinates it touches."""
    k = problem.n_scores
    for e in range(problem.row_ptr[r], problem.row_ptr[r + 1]):
        j, a = problem.row_index[e], problem.row_value[e]
        for c in range(k):
            state.gradient[j * k + c] += a * work.slope_change[c]
            if rules.heap:
                note_coordinate(state, work, j * k + c)
