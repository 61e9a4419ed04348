"""Linear support vector machines: the compiled parts.

Names: ``values, indices, indptr`` the rows of X, compressed, or ``values`` the rows of a dense X
one after the other and ``indptr`` empty; ``w`` (p + 1,) whose last entry belongs to a constant
feature of value ``bias``; ``alpha`` (n,) the dual variables in [0, upper]; ``margin = y * (X w)``.

``step`` says how far a dual variable may move for one unit of slack ``1 - margin``. With ``alpha``
held fixed::

    phi_i(s) = max over a in [0, upper_i] of  a s - (a - alpha_i)^2 / (2 step_i)

is the hinge loss made smooth around ``alpha``; with ``alpha = 0``, ``step = 2 cost`` and no upper
bound it is the squared hinge ``cost max(0, s)^2`` itself.

Slots and indices of entries are unsigned: signed ones are looked at for counting from the end,
which takes longer than the product of a short row.
"""

import numpy as np

from graphs._jit import inline_kernel, inline_sum_kernel, lean_kernel, prefetch, sum_kernel

AHEAD = 8  # rows that are fetched before they are needed
LOST = 1e-14  # slopes below this, beside margins of one, are rounding errors


@inline_sum_kernel
def row_dot(values, indices, indptr, i, w, bias):
    """Return the score of row i."""
    p = len(w) - 1
    score = bias * w[p]
    if len(indptr) == 0:
        row = values[i * p : (i + 1) * p]
        for j in range(p):
            score += row[j] * w[j]
    else:
        for slot in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
            score += values[slot] * w[np.uint64(indices[slot])]
    return score


@inline_kernel
def add_row(values, indices, indptr, i, change, w, bias):
    """Add ``change`` times row i to w."""
    p = len(w) - 1
    w[p] += change * bias
    if len(indptr) == 0:
        row = values[i * p : (i + 1) * p]
        for j in range(p):
            w[j] += change * row[j]
    else:
        for slot in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
            w[np.uint64(indices[slot])] += change * values[slot]


@inline_kernel
def fetch_row(values, indices, indptr, i):
    """Have the row on its way from memory when it is needed (a dense one is fetched by itself)."""
    if len(indptr) > 0:
        start = np.int64(indptr[i])
        prefetch(values, start)
        prefetch(indices, start)


@lean_kernel
def squared_lengths(values, indices, indptr, p, bias, out):
    """Overwrite ``out`` (n,) with the squared lengths of the rows and their constant."""
    for i in range(len(out)):
        total = bias * bias
        if len(indptr) == 0:
            start, stop = i * p, (i + 1) * p
        else:
            start, stop = np.int64(indptr[i]), np.int64(indptr[i + 1])
        for slot in range(start, stop):
            total += values[slot] * values[slot]
        out[i] = total


@lean_kernel
def row_margins(values, indices, indptr, y, bias, w, rows, out):
    """Overwrite ``out`` (n_rows,) with the margins of ``rows``."""
    for k in range(len(rows)):
        out[k] = y[rows[k]] * row_dot(values, indices, indptr, rows[k], w, bias)


@lean_kernel
def combine_rows(values, indices, indptr, y, bias, rows, weight, w):
    """Add ``sum_k weight_k y_i x_i`` over ``i = rows_k`` to w."""
    for k in range(len(rows)):
        if weight[k] != 0.0:
            i = rows[k]
            add_row(values, indices, indptr, i, weight[k] * y[i], w, bias)


@lean_kernel
def shuffle(seed, index, n):
    """Put the first ``n`` of ``index`` in random order; ``seed`` (1,) uint64 is carried on."""
    state = seed[0]
    for k in range(n - 1, 0, -1):
        state ^= state << np.uint64(13)
        state ^= state >> np.uint64(7)
        state ^= state << np.uint64(17)
        other = np.int64(((state >> np.uint64(32)) * np.uint64(k + 1)) >> np.uint64(32))
        index[k], index[other] = index[other], index[k]
    seed[0] = state


@lean_kernel
def dual_epoch(
    values, indices, indptr, y, squares, bias, cost, upper, ridge, active, n_active, alpha, w,
    limits, seed, out,
):  # fmt: skip
    """Minimise exactly over one active dual variable after the other, w being kept up to date.

    Those that sit at a bound and are pushed outwards by more than any was pushed inwards in the
    last epoch leave the active ones (shrinking; Hsieh et al., 2008, section 3.2).

    squares : (n,) ||x_i||^2 + bias^2;  cost, ridge : (n,) see ``excess``;  upper : (n,) bounds
    active : (n,) int32, changed in place: the first ``n_active`` are shuffled and looked at
    limits : (2,) largest and smallest slope of the last epoch, overwritten with this one's
    seed : (1,) uint64, of the order
    out : (3,) overwritten with the violation of optimality, the sum of the samples' parts of the
    duality gap as they were met, the number of variables that entered or left a bound
    Returns how many remain active.
    """
    shuffle(seed, active, n_active)
    high, low = limits[0], limits[1]
    top, bottom, gap, changed = 0.0, 0.0, 0.0, 0
    k = 0
    while k < n_active:
        if k + AHEAD < n_active:
            fetch_row(values, indices, indptr, active[k + AHEAD])
        i = active[k]
        old = alpha[i]
        slack = 1.0 - y[i] * row_dot(values, indices, indptr, i, w, bias)
        slope = slack - ridge[i] * old
        gap += excess(slack, old, cost[i], ridge[i])
        pushed_out = (old <= 0.0 and slope <= 0.0) or (old >= upper[i] and slope >= 0.0)
        if pushed_out and (slope < low or slope > high):
            n_active -= 1
            active[k], active[n_active] = active[n_active], i
            continue
        k += 1
        if pushed_out:
            continue
        top, bottom = max(top, slope), min(bottom, slope)
        curvature = squares[i] + ridge[i]
        if abs(slope) < LOST:
            continue
        if curvature > 0.0:
            new = min(max(old + slope / curvature, 0.0), upper[i])
        else:
            new = upper[i]
        if new != old:
            changed += (0.0 < old < upper[i]) != (0.0 < new < upper[i])
            alpha[i] = new
            add_row(values, indices, indptr, i, (new - old) * y[i], w, bias)
    limits[0] = top if top > 0.0 else np.inf
    limits[1] = bottom if bottom < 0.0 else -np.inf
    out[0], out[1], out[2] = top - bottom, gap, changed
    return n_active


@lean_kernel
def dual_epochs(
    values, indices, indptr, y, squares, bias, cost, upper, ridge, active, n_active, alpha, w,
    limits, seed, aim, record,
):  # fmt: skip
    """Take epochs until one ends with an estimate of the gap within ``aim``, or as good as exact.

    record : (4, m) overwritten, a column an epoch, m of them at most: the violation and the
    estimate that ``dual_epoch`` tells, how many variables changed face, how many began it
    Returns how many were taken, and how many variables remain active.
    """
    n_taken = 0
    while n_taken < record.shape[1]:
        record[3, n_taken] = n_active
        out = record[:3, n_taken]
        n_active = dual_epoch(
            values, indices, indptr, y, squares, bias, cost, upper, ridge, active, n_active, alpha,
            w, limits, seed, out,
        )  # fmt: skip
        n_taken += 1
        if out[1] <= aim or out[0] <= 10.0 * LOST:
            break
    return n_taken, n_active


@inline_kernel
def excess(slack, a, cost, ridge):
    """Return a sample's part of the duality gap at ``w = sum_i a_i y_i x_i``, not negative.

    The loss is ``cost max(0, slack)``, or its square where ``ridge = 1 / (2 cost)`` is not zero.
    """
    if ridge == 0.0:
        return cost * max(slack, 0.0) - a * slack
    if slack <= 0.0:
        return a * (0.5 * ridge * a - slack)
    off = slack - ridge * a
    return cost * off * off


@lean_kernel
def total_excess(margins, alpha, cost, ridge):
    """Return the duality gap at ``w = sum_i alpha_i y_i x_i``, of which these are the margins."""
    total = 0.0
    for i in range(len(margins)):
        total += excess(1.0 - margins[i], alpha[i], cost[i], ridge[i])
    return total


@lean_kernel
def smooth_slack(margins, alpha, step, upper, a, free):
    """Maximise over each dual variable; return the sum of ``phi_i(1 - margin_i)``.

    a : (n,) float64, overwritten with the maximisers;  free : (n,) bool, overwritten with whether
    they lie between their bounds
    """
    total = 0.0
    for i in range(len(margins)):
        slack = 1.0 - margins[i]
        value = alpha[i] + step[i] * slack
        free[i] = 0.0 < value < upper[i]
        value = min(max(value, 0.0), upper[i])
        a[i] = value
        moved = value - alpha[i]
        total += value * slack - moved * moved / (2.0 * step[i])
    return total


@sum_kernel
def line_minimum(margins, change, linear, quadratic, descent, alpha, step, upper):
    """Minimise ``linear t + quadratic t^2 / 2`` plus phi at ``margins + t change`` over t > 0.

    The derivative is piecewise linear and increasing: Newton's method inside a bracket finds its
    root, to a thousandth of ``descent``, which it is at t = 0. Returns t.
    """
    low, high, t = 0.0, -1.0, 1.0
    enough = max(1e-3 * abs(descent), LOST * abs(linear))
    for _ in range(30):
        slope, curvature = linear + quadratic * t, quadratic
        for i in range(len(margins)):
            value = alpha[i] + step[i] * (1.0 - margins[i] - t * change[i])
            clipped = min(max(value, 0.0), upper[i])
            slope -= clipped * change[i]
            if clipped == value:
                curvature += step[i] * change[i] * change[i]
        if slope > 0.0:
            high = t
        else:
            low = t
        if abs(slope) <= enough or curvature <= 0.0:
            break
        t -= slope / curvature
        if t <= low or (0.0 < high <= t):
            t = 0.5 * (low + high) if high > 0.0 else 2.0 * low
    return t


@lean_kernel
def weighted_gram(values, indices, indptr, bias, rows, weight, out):
    """Add ``sum_k weight_k x_i x_i'`` over ``i = rows_k`` to the lower triangle of ``out``.

    The rows are compressed, with indices in increasing order;  out : (p + 1, p + 1)
    """
    p = len(out) - 1
    for k in range(len(rows)):
        start, stop = np.uint64(indptr[rows[k]]), np.uint64(indptr[rows[k] + 1])
        last = weight[k] * bias
        for slot in range(start, stop):
            target, scale = out[np.uint64(indices[slot])], weight[k] * values[slot]
            for other in range(start, slot + np.uint64(1)):
                target[np.uint64(indices[other])] += scale * values[other]
        if bias != 0.0:
            for slot in range(start, stop):
                out[p, indices[slot]] += last * values[slot]
            out[p, p] += last * bias


@lean_kernel
def rows_gram(values, indices, indptr, bias, rows, scale, buffer, out):
    """Overwrite the lower triangle of ``out`` with ``scale_k scale_l x_k'x_l`` among ``rows``.

    The rows are compressed;  buffer : (p + 1,) of zeros, and left so
    """
    for k in range(len(rows)):
        add_row(values, indices, indptr, rows[k], scale[k], buffer, bias)
        for other in range(k + 1):
            out[k, other] = scale[other] * row_dot(
                values, indices, indptr, rows[other], buffer, bias
            )
        buffer[-1] = 0.0
        for slot in range(indptr[rows[k]], indptr[rows[k] + 1]):
            buffer[indices[slot]] = 0.0
