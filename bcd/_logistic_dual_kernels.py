"""Sweeps over the dual of l2 logistic regression: the compiled parts.

Primal: ``1/2 ||w||^2 + sum_i cost_i log(1 + exp(-m_i))`` with margins ``m_i = y_i x_i'w``. Dual
variables are kept twice, as ``alpha_i`` in (0, cost_i) and as the margin that asks for it::

    alpha_i = cost_i / (1 + exp(theta_i)),    w = sum_i alpha_i y_i x_i

At the minimum ``theta = m``. Alone, variable i is right where ``theta - ||x_i||^2 (alpha(theta) -
alpha_i) = m_i``, an increasing function of slope 1 to ``1 + cost_i ||x_i||^2 / 4``:
Newton's method in theta needs one exponential a step, mostly one step, and no care near the ends of
the interval, where Newton's method in alpha (Yu, Huang & Lin, 2011, algorithm 5) needs both.

Rows of X are as in ``_svm_kernels``.
"""

import math

import numpy as np

from bcd._svm_kernels import AHEAD, add_row, fetch_row, row_dot, shuffle
from graphs._jit import inline_kernel, lean_kernel, prefetch

FETCH_ENTRIES = 16  # entries of a column, whose rows are fetched before they are needed
CLOSE = 0.05  # of the step: how well an equation of one unknown is solved
MOST_STEPS = 20
ROUNDING = 1e-15


@lean_kernel
def compress_samples(ptr, index, value, row_ptr, row_index, row_value):
    """Turn compressed columns into compressed rows, columns ascending in each.

    row_ptr : (n + 1,) int64;  row_index : (n_entries,) int32;  row_value : (n_entries,) float64;
    all overwritten
    """
    n, n_entries = len(row_ptr) - 1, len(index)
    for i in range(n + 1):
        row_ptr[i] = 0
    for e in range(n_entries):
        row_ptr[index[e] + 1] += 1
    total = 0
    for i in range(1, n + 1):
        count = row_ptr[i]
        row_ptr[i] = total
        total += count
    # row_ptr[i + 1] is where row i goes on, in the end where row i + 1 begins
    for j in range(len(ptr) - 1):
        for e in range(ptr[j], ptr[j + 1]):
            later = np.int64(e) + FETCH_ENTRIES
            if later < n_entries:
                place = row_ptr[index[later] + 1]
                prefetch(row_index, place)
                prefetch(row_value, place)
            slot = row_ptr[index[e] + 1]
            row_ptr[index[e] + 1] += 1
            row_index[slot] = j
            row_value[slot] = value[e]


@inline_kernel
def settle(theta, alpha, margin, square, cost):
    """Solve for one dual variable, the others staying as they are; return its theta.

    margin : with the present ``alpha``;  square : ||x_i||^2.  A ``theta`` of infinity, with an
    ``alpha`` of zero, is where a variable begins.
    """
    reach = square * cost
    if theta == np.inf:
        low, high = margin, margin + reach
        s = min(max(margin, 0.0), high) if reach >= 4.0 else margin + 0.5 * reach
        close = CLOSE * 0.1
    else:
        away = margin - theta
        low, high = min(theta, margin), max(theta, margin)
        s = theta + away / (1.0 + square * alpha * (1.0 - alpha / cost))
        close = CLOSE * abs(away)
    for _ in range(MOST_STEPS):
        new = cost / (1.0 + math.exp(s))
        off = s - margin - square * (new - alpha)
        if abs(off) <= close + ROUNDING * (abs(margin) + square * (new + alpha)):
            break
        if off > 0.0:
            high = s
        else:
            low = s
        s -= off / (1.0 + square * new * (1.0 - new / cost))
        if not low < s < high:
            s = 0.5 * (low + high)
    return s


@inline_kernel
def mismatch(alpha, new, square, cost):
    """Return about ``||x_i||^2 (asked - alpha)^2``, of what was asked before ``new`` was chosen.

    Half its sum over samples is about the duality gap that the slopes give as dual point.
    """
    asked = (new - alpha) * (1.0 + square * new * (1.0 - new / cost))
    return square * asked * asked


@lean_kernel
def logistic_epoch(
    values, indices, indptr, y, squares, bias, cost, order, theta, alpha, w, missed, seed
):  # fmt: skip
    """Minimise over one dual variable after the other, in random order, w being kept up to date.

    squares : (n,) ||x_i||^2 + bias^2;  cost : (n,) above zero for all of ``order``
    order : (k,) int32, shuffled in place;  theta, alpha : (n,), w : (p + 1,), all changed in place
    missed : (n,) overwritten, for all of ``order``, with the mismatch that each was met with
    seed : (1,) uint64, of the order
    Returns the sum of the mismatches.
    """
    shuffle(seed, order, len(order))
    total = 0.0
    for k in range(len(order)):
        if k + AHEAD < len(order):
            fetch_row(values, indices, indptr, order[k + AHEAD])
        i = order[k]
        margin = y[i] * row_dot(values, indices, indptr, i, w, bias)
        s = settle(theta[i], alpha[i], margin, squares[i], cost[i])
        new = cost[i] / (1.0 + math.exp(s))
        add_row(values, indices, indptr, i, (new - alpha[i]) * y[i], w, bias)
        missed[i] = mismatch(alpha[i], new, squares[i], cost[i])
        total += missed[i]
        theta[i], alpha[i] = s, new
    return total


@lean_kernel
def logistic_epochs_of_products(K, y, cost, theta, alpha, scores, n_epochs):
    """Do the same, one sample after the other, with the products ``K = X X'`` of all samples.

    scores : (n,) ``X w``, kept up to date beside theta and alpha
    """
    n = len(y)
    for _ in range(n_epochs):
        for i in range(n):
            if cost[i] == 0.0:
                continue
            s = settle(theta[i], alpha[i], y[i] * scores[i], K[i, i], cost[i])
            new = cost[i] / (1.0 + math.exp(s))
            change = (new - alpha[i]) * y[i]
            row = K[i]
            for other in range(n):
                scores[other] += change * row[other]
            theta[i], alpha[i] = s, new
