"""How a chosen block moves: each rule one short function that can be held against its equation.

Symbols: u the block of x, g its gradient, H_b the bound on its Hessian block, L_b H_b's largest
eigenvalue. Each rule writes ``work.step``; the engine applies it.
"""

import math

import numpy as np

from bcd._block_kernels import (
    factorize,
    largest_eigenvalue,
    solve_block_quadratic,
    solve_factored,
)
from bcd._motion_kernels import begin_motion, block_gradient, end_motion, loss_change
from bcd._state import (
    BACKTRACKING,
    EXACT,
    GRADIENT,
    MATRIX,
    NEWTON,
    PROX_GRADIENT,
    PROX_NEWTON,
    TWO_METRIC,
)
from graphs._jit import inner_kernel
from problems._hessian_kernels import hessian_block
from problems._linear_kernels import QUADRATIC
from problems.losses import SQUARES
from problems.penalties import minimum_norm_subgradient, prox, prox_group

ARMIJO = 1e-4
MAX_HALVINGS = 60
ROUNDING = 1e-12
LOSS_ROUNDING = 1e-14  # of the loss, a sum of many terms


@inner_kernel
def is_quadratic(problem):
    """Whether the smooth part is a quadratic, so that its Hessian is its own bound."""
    return problem.kind >= QUADRATIC or problem.loss.tag == SQUARES


@inner_kernel
def load_hessian(problem, rules, state, m, bound, work):
    """Fill ``work.H[:m, :m]`` with the block's Hessian, or with its bound H_b."""
    hessian_block(
        problem,
        bound or is_quadratic(problem),
        work.block[:m],
        state.z,
        state.slope,
        rules.curvature,
        work.hessian,
        work.H,
    )


@inner_kernel
def block_curvature(problem, rules, state, m, b, work):
    """L_b of the block: known for fixed blocks, else from H_b by power iteration from g."""
    if b >= 0:
        return rules.block_lipschitz[b]
    if m == 1:
        return rules.lipschitz[work.block[0]]
    load_hessian(problem, rules, state, m, True, work)
    return largest_eigenvalue(work.H, m, work.g, work.vectors[0], work.vectors[1])


@inner_kernel
def gradient_step(g, m, L, step):
    """``d = -g / L_b``."""
    for a in range(m):
        step[a] = -g[a] / L


@inner_kernel
def matrix_step(problem, rules, state, m, b, work):
    """``d = -H_b^-1 g``, with the factor kept where the block and its bound are fixed."""
    for a in range(m):
        work.vectors[0, a] = -work.g[a]
    if b >= 0 and len(rules.factor):
        place = rules.factor_ptr[b]
        factor = rules.factor[place : place + m * m].reshape((m, m))
        solve_factored(factor, m, work.vectors[0], work.step)
        return
    load_hessian(problem, rules, state, m, True, work)
    for a in range(m):
        work.H[a, a] += problem.l2
    factorize(work.H, m, work.factor)
    solve_factored(work.factor, m, work.vectors[0], work.step)


@inner_kernel
def prox_gradient_step(problem, state, m, L, b, work):
    """``u + d = prox(u - g / L_b)``, by coordinate or by penalised group."""
    if len(problem.group_weight):
        for a in range(m):
            work.vectors[0, a] = state.x[work.block[a]] - work.g[a] / L
        weight = problem.group_weight[b]
        prox_group(work.vectors[0, :m], 1.0 / L, problem.l1, weight, work.step[:m])
        for a in range(m):
            work.step[a] -= state.x[work.block[a]]
        return
    for a in range(m):
        i = work.block[a]
        u = state.x[i]
        v = u - work.g[a] / L
        new = prox(v, 1.0 / L, problem.l1, problem.l2, problem.lower[i], problem.upper[i])
        work.step[a] = new - u


@inner_kernel
def variable_prox_gradient_step(problem, rules, state, m, work):
    """Raise L on a variable block until ``d'H_b d <= L |d|^2`` holds for the step taken.

    Power iteration starts from g and may end at a smaller eigenvalue when g lies in its space; with
    a penalty the step is not along g, so that the bound has to be looked at and power iteration to
    start again from the step.
    """
    L = block_curvature(problem, rules, state, m, -1, work)
    prox_gradient_step(problem, state, m, L, -1, work)
    if m == 1:
        return
    for _ in range(MAX_HALVINGS):
        square = curved = 0.0
        for a in range(m):
            square += work.step[a] * work.step[a]
            for c in range(m):
                curved += work.step[a] * work.H[a, c] * work.step[c]
        if curved <= L * square * (1.0 + ROUNDING):
            return
        L = largest_eigenvalue(work.H, m, work.step, work.vectors[0], work.vectors[1])
        prox_gradient_step(problem, state, m, L, -1, work)


@inner_kernel
def step_penalty_change(problem, state, m, t, b, work):
    """Return ``penalty(u + t d) - penalty(u)`` on the block."""
    total = norm_old = norm_new = 0.0
    for a in range(m):
        u = state.x[work.block[a]]
        v = u + t * work.step[a]
        total += problem.l1 * (abs(v) - abs(u)) + 0.5 * problem.l2 * (v * v - u * u)
        norm_old += u * u
        norm_new += v * v
    if len(problem.group_weight):
        total += problem.group_weight[b] * (math.sqrt(norm_new) - math.sqrt(norm_old))
    return total


@inner_kernel
def step_loss_change(problem, rules, state, m, t, work):
    """Return the smooth part at ``u + t d`` minus now; the motion or ``work.H`` is prepared."""
    if problem.kind < QUADRATIC:
        return loss_change(problem, state, t, work)
    linear = square = 0.0
    for a in range(m):
        linear += work.g[a] * work.step[a]
        total = 0.0
        for c in range(m):
            total += work.H[a, c] * work.step[c]
        square += work.step[a] * total
    return t * linear + 0.5 * t * t * square


@inner_kernel
def prepare_step(problem, state, m, work):
    """Prepare the motion of ``work.step`` for evaluations along it."""
    if problem.kind < QUADRATIC:
        begin_motion(problem, state, m, work.step, work)


@inner_kernel
def forget_step(problem, state, work):
    """Undo :func:`prepare_step`."""
    if problem.kind < QUADRATIC:
        end_motion(problem, state, work)


@inner_kernel
def backtracking_step(problem, rules, state, m, b, work):
    """Proximal gradient step with an estimated L, doubled until the quadratic bound holds.

    ``f(u + d) <= f(u) + g'd + L |d|^2 / 2``. Fixed blocks keep an estimate each; a variable block
    starts from the largest of its coordinates' estimates. Each success halves it for next time.
    Near the minimum both sides may differ by less than the loss is rounded to: there the estimate
    that held last time, twice the one begun with, is taken again.
    """
    L = 0.0
    if b >= 0:
        L = state.estimate[b]
    else:
        for a in range(m):
            L = max(L, state.estimate[work.block[a]])
    if problem.kind >= QUADRATIC:
        load_hessian(problem, rules, state, m, True, work)
    slack = 0.0
    for _ in range(MAX_HALVINGS):
        prox_gradient_step(problem, state, m, L, b, work)
        linear = square = 0.0
        for a in range(m):
            linear += work.g[a] * work.step[a]
            square += work.step[a] * work.step[a]
        prepare_step(problem, state, m, work)
        change = step_loss_change(problem, rules, state, m, 1.0, work)
        forget_step(problem, state, work)
        if change <= linear + 0.5 * L * square + slack + ROUNDING * abs(linear):
            break
        L *= 2.0
        if not is_quadratic(problem):  # there changes are known without a difference of values
            slack = LOSS_ROUNDING * abs(state.totals[0])
    if b >= 0:
        state.estimate[b] = 0.5 * L
    else:
        for a in range(m):
            state.estimate[work.block[a]] = 0.5 * L


@inner_kernel
def interpolate(t, slope, change, previous_t, previous_change):
    """Minimiser of the quadratic, or from the second trial on cubic, model of the line.

    The model has value 0 and derivative ``slope`` at 0 and agrees with the trials made.
    """
    if previous_t <= 0.0 or not np.isfinite(previous_change):
        guess = -0.5 * slope * t * t / (change - slope * t)
    else:
        a1 = (change - slope * t) / (t * t)
        a2 = (previous_change - slope * previous_t) / (previous_t * previous_t)
        cubic = (a1 - a2) / (t - previous_t)
        square = a1 - cubic * t
        root = square * square - 3.0 * cubic * slope
        if cubic == 0.0 or root < 0.0:
            guess = -0.5 * slope / square if square > 0.0 else 0.5 * t
        else:
            guess = (-square + math.sqrt(root)) / (3.0 * cubic)
    if not (guess >= 0.1 * t and guess <= 0.5 * t):
        guess = 0.1 * t if guess < 0.1 * t else 0.5 * t
    return guess


@inner_kernel
def line_search(problem, rules, state, m, b, work):
    """Backtrack along ``work.step`` until F has decreased enough; the step is scaled in place.

    Armijo's condition with ``g'd + penalty(u + d) - penalty(u)`` as the slope; zeroes the step
    where nothing decreases.
    """
    slope = step_penalty_change(problem, state, m, 1.0, b, work)
    for a in range(m):
        slope += work.g[a] * work.step[a]
    if not slope < 0.0:
        work.step[:m] = 0.0
        return
    prepare_step(problem, state, m, work)
    t, previous_t, previous_change, found = 1.0, 0.0, 0.0, False
    for _ in range(MAX_HALVINGS):
        change = step_loss_change(problem, rules, state, m, t, work)
        change += step_penalty_change(problem, state, m, t, b, work)
        if change <= ARMIJO * t * slope:
            found = True
            break
        if np.isfinite(change):
            new_t = interpolate(t, slope, change, previous_t, previous_change)
        else:
            new_t = 0.5 * t
        previous_t, previous_change, t = t, change, new_t
    forget_step(problem, state, work)
    for a in range(m):
        work.step[a] *= t if found else 0.0


@inner_kernel
def newton_step(problem, rules, state, m, b, work):
    """``d = -t (nabla^2_bb f)^-1 g`` with t from a line search."""
    load_hessian(problem, rules, state, m, False, work)
    ridge = problem.l2
    if not is_quadratic(problem):
        trace = 0.0
        for a in range(m):
            trace += work.H[a, a]
        ridge += 1e-12 * trace
    for a in range(m):
        work.H[a, a] += ridge
        work.vectors[0, a] = -work.g[a] - problem.l2 * state.x[work.block[a]]
    factorize(work.H, m, work.factor)
    solve_factored(work.factor, m, work.vectors[0], work.step)
    if not is_quadratic(problem):
        line_search(problem, rules, state, m, b, work)


@inner_kernel
def prox_newton_step(problem, rules, state, m, b, work):
    """Minimise ``g'd + d' (nabla^2_bb f) d / 2 + penalty(u + d)``, then search along d."""
    load_hessian(problem, rules, state, m, False, work)
    u, lower, upper = work.vectors[0], work.vectors[1], work.vectors[2]
    for a in range(m):
        i = work.block[a]
        u[a], lower[a], upper[a] = state.x[i], problem.lower[i], problem.upper[i]
        if not is_quadratic(problem):
            work.H[a, a] += 1e-10 * rules.lipschitz[i] if rules.curvature < np.inf else 1e-10
    solve_block_quadratic(
        work.H,
        m,
        work.g,
        u,
        problem.l1,
        problem.l2,
        lower,
        upper,
        work.step,
        work.factor,
        work.sub,
        work.vectors,
        work.free,
    )
    if not is_quadratic(problem):
        line_search(problem, rules, state, m, b, work)


@inner_kernel
def orthant(problem, u, s, i):
    """Interval on which the penalty is smooth around u: the side of zero that -s points to."""
    lower, upper = problem.lower[i], problem.upper[i]
    if problem.l1 > 0.0:
        if u > 0.0 or (u == 0.0 and s < 0.0):
            lower = max(lower, 0.0)
        else:
            upper = min(upper, 0.0)
    return lower, upper


@inner_kernel
def curved_part(problem, m, work):
    """Return ``d' (H_b + l2 I) d / 2`` of the step d."""
    total = 0.0
    for a in range(m):
        along = problem.l2 * work.step[a]
        for c in range(m):
            along += work.H[a, c] * work.step[c]
        total += work.step[a] * along
    return 0.5 * total


@inner_kernel
def two_metric_step(problem, rules, state, m, b, work):
    """Two-metric projection: Newton on the free coordinates, then project, along the arc.

    A coordinate at its bound (or at zero with an l1 term) whose minimum-norm subgradient is zero
    stays; the others take a Newton step for the smooth piece they are on and are projected onto
    it, with a line search along the projection arc. Few projections, then it is plain Newton.
    """
    load_hessian(problem, rules, state, m, False, work)
    s, direction = work.vectors[0], work.vectors[1]
    n_free = 0
    for a in range(m):
        i = work.block[a]
        u = state.x[i]
        lower, upper = problem.lower[i], problem.upper[i]
        s[a] = minimum_norm_subgradient(work.g[a], u, problem.l1, problem.l2, lower, upper)
        direction[a] = 0.0
        held = u <= lower or u >= upper or (problem.l1 > 0.0 and u == 0.0)
        if s[a] != 0.0 or not held:
            work.free[n_free] = a
            n_free += 1
    rhs, newton = work.vectors[2], work.vectors[3]
    for p in range(n_free):
        a = work.free[p]
        rhs[p] = -s[a]
        for q in range(n_free):
            work.sub[p, q] = work.H[a, work.free[q]]
        work.sub[p, p] += problem.l2
        if not is_quadratic(problem):
            work.sub[p, p] *= 1.0 + 1e-12
    factorize(work.sub, n_free, work.factor)
    solve_factored(work.factor, n_free, rhs, newton)
    for p in range(n_free):
        direction[work.free[p]] = newton[p]
    t = 1.0
    for _ in range(MAX_HALVINGS):
        model = 0.0
        for a in range(m):
            i = work.block[a]
            u = state.x[i]
            lower, upper = orthant(problem, u, s[a], i)
            work.step[a] = min(max(u + t * direction[a], lower), upper) - u
            model += s[a] * work.step[a]
        if is_quadratic(problem):  # on one side of zero all is known without a difference of values
            change = model + curved_part(problem, m, work)
        else:
            prepare_step(problem, state, m, work)
            change = step_loss_change(problem, rules, state, m, 1.0, work)
            forget_step(problem, state, work)
            change += step_penalty_change(problem, state, m, 1.0, b, work)
        if model < 0.0 and change <= ARMIJO * model:
            return
        t *= 0.5
    work.step[:m] = 0.0


@inner_kernel
def choose_step(problem, rules, state, m, b, work):
    """Fill ``work.step`` for the block by the chosen update; b is -1 for variable blocks."""
    block_gradient(problem, rules, state, m, work)
    update = rules.update
    if update == PROX_GRADIENT:
        if b < 0:
            variable_prox_gradient_step(problem, rules, state, m, work)
        else:
            prox_gradient_step(problem, state, m, rules.block_lipschitz[b], b, work)
        return
    if update == BACKTRACKING:
        backtracking_step(problem, rules, state, m, b, work)
        return
    if update == PROX_NEWTON or update == EXACT:
        prox_newton_step(problem, rules, state, m, b, work)
        return
    if update == TWO_METRIC:
        two_metric_step(problem, rules, state, m, b, work)
        return
    if update == NEWTON:
        newton_step(problem, rules, state, m, b, work)
        return
    for a in range(m):  # a smooth l2 term is part of the gradient of the remaining updates
        work.g[a] += problem.l2 * state.x[work.block[a]]
    if update == GRADIENT:
        L = block_curvature(problem, rules, state, m, b, work) + problem.l2
        gradient_step(work.g, m, L, work.step)
    elif update == MATRIX:
        matrix_step(problem, rules, state, m, b, work)
