"""Whole iterations in compiled code: select, update, keep the books, write the history."""

import numpy as np

from bcd._motion_kernels import move_block
from bcd._selection_kernels import (
    fill_heap,
    load_block,
    select_best_block,
    select_blind_block,
    select_blind_coordinates,
    select_heap_block,
    select_top,
    select_top_heap,
    update_heap,
)
from bcd._state import (
    CYCLIC,
    LIPSCHITZ,
    LOSS,
    LOWERED,
    N_ACTIVE,
    NOT_FINITE,
    OPTIMAL,
    PENALTY,
    RUNNING,
    STALLED,
)
from bcd._update_kernels import choose_step, step_penalty_change
from graphs._jit import inner_kernel, kernel


@inner_kernel
def select(problem, rules, state, work, rng):
    """Choose a block into ``work.block``; returns its size (0 when all is optimal) and its id."""
    if rules.selection >= CYCLIC and rules.selection <= LIPSCHITZ:
        if rules.variable:
            return select_blind_coordinates(rules, state, work, rng), -1
        b = select_blind_block(rules, state, work, rng)
        return load_block(rules, b, work), b
    if rules.variable:
        if rules.heap:
            return select_top_heap(problem, rules, state, work), -1
        return select_top(problem, rules, state, work), -1
    b = select_heap_block(state, work) if rules.heap else 0
    if not rules.heap:
        b = select_best_block(problem, rules, state, work)
    if b < 0:
        return 0, -1
    return load_block(rules, b, work), b


@kernel
def run_chunk(problem, rules, state, work, rng, start, n_iter, objective, block_size, n_active):
    """Run up to ``n_iter`` iterations after iteration ``start``, one history entry each.

    Returns the iterations done and RUNNING, OPTIMAL, STALLED or NOT_FINITE; earlier than asked
    where ``patience`` iterations have lowered nothing.
    """
    if rules.heap:
        fill_heap(problem, rules, state, work)
    greedy = rules.selection > LIPSCHITZ
    least, idle = np.inf, 0
    for t in range(n_iter):
        m, b = select(problem, rules, state, work, rng)
        if m == 0:
            return t, OPTIMAL
        choose_step(problem, rules, state, m, b, work)
        group_change = 0.0
        if len(problem.group_weight):
            group_change = step_penalty_change(problem, state, m, 1.0, b, work)
        before = state.totals[PENALTY]
        moved = move_block(problem, rules, state, m, work.step, work, start + t + 1)
        if len(problem.group_weight):
            state.totals[PENALTY] = before + group_change
        if rules.heap and moved:
            update_heap(problem, rules, state, m, work)
        value = state.totals[LOSS] + state.totals[PENALTY]
        objective[t] = value
        block_size[t] = m
        n_active[t] = state.counters[N_ACTIVE]
        if not np.isfinite(value):
            return t + 1, NOT_FINITE
        if greedy and not moved:
            return t + 1, STALLED
        if rules.patience:
            idle += 1
            if value < least - LOWERED * abs(value):
                least, idle = value, 0
            if idle >= rules.patience:
                return t + 1, RUNNING
    return n_iter, RUNNING
