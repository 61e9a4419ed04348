"""Which block next: each rule one short function that can be held against its equation.

Symbols: g gradient of the smooth part, s minimum-norm subgradient of the whole, L_i and L_b
Lipschitz constants of a coordinate and a block, D a diagonal with D_b >= H_b. Greedy rules take the
block with the largest score; scores are squared where that keeps the order.
"""

import numpy as np

from bcd._block_kernels import solve_factored
from bcd._state import (
    CURSOR,
    CYCLIC,
    GS,
    GS_Q,
    GS_R,
    GSD,
    GSL,
    GSQ,
    LIPSCHITZ,
    N_COORDINATES,
    OUT_OF_HEAP,
    RANDOM,
    SHUFFLED,
)
from graphs._jit import inner_kernel
from graphs.heap import heap_clear, heap_pop, heap_push_or_update, heap_rebuild
from problems.penalties import (
    is_active,
    minimum_norm_subgradient,
    model_decrease,
    prox,
    prox_group,
)


@inner_kernel
def coordinate_score(selection, g, u, L, D, l1, l2, lower, upper):
    """Score of one coordinate; a block's score is the sum of its coordinates'.

    ::

        gs     s^2                      gs-r   (u - prox(u - g / L))^2
        gsl    s^2 / (L + l2)           gs-q   decrease of g d + L d^2 / 2 + penalty
        gsd    s^2 / D, or gs-q's decrease with D in place of L where a penalty is present
    """
    if selection == GS_R:
        move = prox(u - g / L, 1.0 / L, l1, l2, lower, upper) - u
        return move * move
    if selection == GS_Q:
        return model_decrease(g, u, L, l1, l2, lower, upper)
    s = minimum_norm_subgradient(g, u, l1, l2, lower, upper)
    if selection == GS:
        return s * s
    if selection == GSL:
        return s * s / (L + l2)
    if s == 0.0:
        return 0.0
    return model_decrease(g, u, D, l1, l2, lower, upper)


@inner_kernel
def ranked_score(selection, g, u, L, D, l1, l2, lower, upper):
    """Score of a coordinate for a variable block; free ones at rest come last, not never."""
    # nobody knows the L_b of a block that is yet to be chosen: gsl takes the diagonal instead
    bound = D if selection == GSL else L
    score = coordinate_score(selection, g, u, bound, D, l1, l2, lower, upper)
    if score <= OUT_OF_HEAP:
        return OUT_OF_HEAP if is_active(u, l1, lower, upper) else 0.0
    return score


@inner_kernel
def variable_score(problem, rules, state, i):
    """Score of coordinate i for a variable block, see :func:`ranked_score`."""
    return ranked_score(
        rules.selection,
        state.gradient[i],
        state.x[i],
        rules.lipschitz[i],
        rules.diagonal[i],
        problem.l1,
        problem.l2,
        problem.lower[i],
        problem.upper[i],
    )


@inner_kernel
def group_score(problem, rules, state, b, v, out):
    """Score of a penalised group b: gs-r and gs-q from the group's proximal step with L_b.

    gs-s is the length of the minimum-norm subgradient of the group.
    """
    begin, end = rules.block_ptr[b], rules.block_ptr[b + 1]
    m, L, weight = end - begin, rules.block_lipschitz[b], problem.group_weight[b]
    norm_u = 0.0
    for a in range(m):
        norm_u += state.x[rules.block_index[begin + a]] ** 2
    norm_u = np.sqrt(norm_u)
    if rules.selection == GS or rules.selection == GSL:
        total = 0.0
        for a in range(m):
            i = rules.block_index[begin + a]
            u = state.x[i]
            g = state.gradient[i] + (weight * u / norm_u if norm_u > 0.0 else 0.0)
            s = minimum_norm_subgradient(g, u, problem.l1, 0.0, -np.inf, np.inf)
            total += s * s
        if norm_u == 0.0:
            total = max(0.0, np.sqrt(total) - weight) ** 2
        return total if rules.selection == GS else total / L
    for a in range(m):
        i = rules.block_index[begin + a]
        v[a] = state.x[i] - state.gradient[i] / L
    prox_group(v[:m], 1.0 / L, problem.l1, weight, out[:m])
    score = norm_new = 0.0
    for a in range(m):
        i = rules.block_index[begin + a]
        u = state.x[i]
        d = out[a] - u
        norm_new += out[a] * out[a]
        if rules.selection == GS_R:
            score += d * d
        else:
            score -= state.gradient[i] * d + 0.5 * L * d * d
            score += problem.l1 * (abs(u) - abs(out[a]))
    if rules.selection == GS_R:
        return score
    return score + weight * (norm_u - np.sqrt(norm_new))


@inner_kernel
def fixed_score(problem, rules, state, b, work):
    """Score of fixed block b: the coordinate scores with L_b, summed; gsq: g' H_b^-1 g."""
    begin, end = rules.block_ptr[b], rules.block_ptr[b + 1]
    if len(problem.group_weight):
        return group_score(problem, rules, state, b, work.vectors[0], work.vectors[1])
    if rules.selection == GSQ:
        m = end - begin
        for a in range(m):
            i = rules.block_index[begin + a]
            work.g[a] = state.gradient[i] + problem.l2 * state.x[i]
        place = rules.factor_ptr[b]
        factor = rules.factor[place : place + m * m].reshape((m, m))
        return solve_factored(factor, m, work.g, work.step)
    total = 0.0
    for e in range(begin, end):
        i = rules.block_index[e]
        total += coordinate_score(
            rules.selection,
            state.gradient[i],
            state.x[i],
            rules.block_lipschitz[b],
            rules.diagonal[i],
            problem.l1,
            problem.l2,
            problem.lower[i],
            problem.upper[i],
        )
    return total


@inner_kernel
def load_block(rules, b, work):
    """Copy fixed block b into ``work.block``; returns its size."""
    begin, end = rules.block_ptr[b], rules.block_ptr[b + 1]
    for e in range(begin, end):
        work.block[e - begin] = rules.block_index[e]
    return end - begin


@inner_kernel
def offer(key, block, m, size, score, i):
    """Keep the ``size`` best of all offers in a small binary min-heap; returns its length."""
    if m < size:
        place = m
        m += 1
        while place > 0:
            above = (place - 1) // 2
            if key[above] <= score:
                break
            key[place], block[place] = key[above], block[above]
            place = above
    else:
        if score <= key[0]:
            return m
        place = 0
        while True:
            child = 2 * place + 1
            if child >= size:
                break
            if child + 1 < size and key[child + 1] < key[child]:
                child += 1
            if key[child] >= score:
                break
            key[place], block[place] = key[child], block[child]
            place = child
    key[place], block[place] = score, i
    return m


@inner_kernel
def smooth_scores(selection, gradient, x, lipschitz, diagonal, l2, scores):
    """Fill the scores of :func:`ranked_score` where nothing but l2 is penalised."""
    bound = diagonal if selection == GSL or selection == GSD else lipschitz
    for i in range(len(scores)):
        s = gradient[i] + l2 * x[i]
        if selection == GS:
            score = s * s
        elif selection == GS_R:
            score = s * s / ((bound[i] + l2) * (bound[i] + l2))
        else:
            score = s * s / (bound[i] + l2)
        scores[i] = max(score, OUT_OF_HEAP)


@inner_kernel
def select_top(problem, rules, state, work):
    """Return the size of the block of the k best coordinates, by one pass: O(p + k log k log p).

    Zero when every coordinate is optimal.
    """
    # arrays are taken out of their tuples: a call a coordinate would copy all of them
    selection, size, l1, l2 = rules.selection, rules.block_size, problem.l1, problem.l2
    x, gradient, lower, upper = state.x, state.gradient, problem.lower, problem.upper
    lipschitz, diagonal, key, block = rules.lipschitz, rules.diagonal, work.key, work.block
    scores = work.score
    if rules.smooth:
        smooth_scores(selection, gradient, x, lipschitz, diagonal, l2, scores)
    else:
        for i in range(len(x)):
            scores[i] = ranked_score(
                selection, gradient[i], x[i], lipschitz[i], diagonal[i], l1, l2, lower[i], upper[i]
            )
    m, least = 0, 0.0
    for i in range(len(scores)):
        if scores[i] > least:
            m = offer(key, block, m, size, scores[i], i)
            if m == size:
                least = key[0]
    for a in range(m):
        if key[a] > OUT_OF_HEAP:
            return m
    return 0


@inner_kernel
def select_top_heap(problem, rules, state, work):
    """As :func:`select_top` from the indexed heap; chosen coordinates return after the update."""
    m = 0
    best = -work.heap.key[work.heap.order[0]] if work.heap.size[0] > 0 else 0.0
    if best <= OUT_OF_HEAP:
        return 0
    while m < rules.block_size and work.heap.size[0] > 0:
        work.block[m] = heap_pop(work.heap)
        m += 1
    return m


@inner_kernel
def select_best_block(problem, rules, state, work):
    """Return the fixed block with the largest score, or -1 when all are optimal: O(p)."""
    best, best_score = -1, 0.0
    for b in range(len(rules.block_ptr) - 1):
        score = fixed_score(problem, rules, state, b, work)
        if score > best_score:
            best, best_score = b, score
    return best


@inner_kernel
def fill_heap(problem, rules, state, work):
    """Put every score into the heap, in O(p)."""
    heap = work.heap
    heap_clear(heap)
    count = len(state.x) if rules.variable else len(rules.block_ptr) - 1
    n = 0
    for v in range(count):
        if rules.variable:
            score = variable_score(problem, rules, state, v)
        else:
            score = fixed_score(problem, rules, state, v, work)
        heap.key[v] = -score
        heap.order[n] = v
        heap.position[v] = n
        n += 1
    heap.size[0] = n
    heap_rebuild(heap)


@inner_kernel
def update_heap(problem, rules, state, m, work):
    """Bring the heap up to date after a step: only what the step touched, or all when that is most.

    With nothing moved, the popped block goes back as it was.
    """
    n = state.counters[N_COORDINATES]
    if n < 0 or 4 * n > len(state.x):
        for e in range(n):
            work.coordinate_stamp[work.coordinates[e]] = 0
        fill_heap(problem, rules, state, work)
        return
    if rules.variable:
        for a in range(m):
            i = work.block[a]
            score = variable_score(problem, rules, state, i)
            heap_push_or_update(work.heap, i, -score)
        for e in range(n):
            i = work.coordinates[e]
            work.coordinate_stamp[i] = 0
            score = variable_score(problem, rules, state, i)
            heap_push_or_update(work.heap, i, -score)
        return
    # fixed blocks: the stamp of a block's first coordinate tells that its score is fresh
    for a in range(m):
        i = work.block[a]
        if work.coordinate_stamp[i] == 0:
            work.coordinate_stamp[i] = 1
            work.coordinates[n] = i
            n += 1
    for e in range(n):
        work.coordinate_stamp[work.coordinates[e]] = 0
    for e in range(n):
        b = rules.block_of[work.coordinates[e]]
        first = rules.block_index[rules.block_ptr[b]]
        if work.coordinate_stamp[first] == 0:
            work.coordinate_stamp[first] = 1
            score = fixed_score(problem, rules, state, b, work)
            heap_push_or_update(work.heap, b, -score)
    for e in range(n):
        b = rules.block_of[work.coordinates[e]]
        work.coordinate_stamp[rules.block_index[rules.block_ptr[b]]] = 0


@inner_kernel
def random_below(rng, n):
    """Uniform integer in ``0 .. n - 1``."""
    return min(int(rng.random() * n), n - 1)


@inner_kernel
def sample_proportional(cumulative, rng):
    """Index drawn with probability proportional to the increments of ``cumulative``."""
    target = rng.random() * cumulative[len(cumulative) - 1]
    low, high = 0, len(cumulative) - 1
    while low < high:
        middle = (low + high) // 2
        if cumulative[middle] <= target:
            low = middle + 1
        else:
            high = middle
    return low


@inner_kernel
def next_in_order(rules, state, pool, rng):
    """Next place of a cyclic walk over ``pool``; a shuffled one is redrawn each round."""
    n = len(pool)
    place = state.counters[CURSOR]
    if place == 0 and rules.selection == SHUFFLED:
        for a in range(n - 1, 0, -1):
            b = random_below(rng, a + 1)
            pool[a], pool[b] = pool[b], pool[a]
    state.counters[CURSOR] = (place + 1) % n
    return pool[place]


@inner_kernel
def select_blind_block(rules, state, work, rng):
    """Return a fixed block without looking at gradients: cyclic, shuffled, random or lipschitz."""
    n_blocks = len(rules.block_ptr) - 1
    if rules.selection == RANDOM:
        return random_below(rng, n_blocks)
    if rules.selection == LIPSCHITZ:
        return sample_proportional(rules.cumulative, rng)
    return next_in_order(rules, state, work.pool[:n_blocks], rng)


@inner_kernel
def select_blind_coordinates(rules, state, work, rng):
    """Choose a variable block without looking at gradients; returns its size."""
    n, size = len(state.x), rules.block_size
    if rules.selection == CYCLIC or rules.selection == SHUFFLED:
        for a in range(size):
            if rules.selection == SHUFFLED and state.counters[CURSOR] + size - a > n and a == 0:
                state.counters[CURSOR] = 0  # a block never spans two permutations
            work.block[a] = next_in_order(rules, state, work.pool, rng)
        return size
    if rules.selection == RANDOM:
        for a in range(size):
            b = a + random_below(rng, n - a)
            work.pool[a], work.pool[b] = work.pool[b], work.pool[a]
            work.block[a] = work.pool[a]
        return size
    m = 0
    while m < size:  # lipschitz: without replacement
        i = sample_proportional(rules.cumulative, rng)
        if work.coordinate_stamp[i] == 0:
            work.coordinate_stamp[i] = 1
            work.block[m] = i
            m += 1
    for a in range(m):
        work.coordinate_stamp[work.block[a]] = 0
    return m


@inner_kernel
def select_heap_block(state, work):
    """Return the fixed block with the largest score from the heap, or -1 when all are optimal."""
    v = work.heap.order[0]
    return v if -work.heap.key[v] > 0.0 else -1
