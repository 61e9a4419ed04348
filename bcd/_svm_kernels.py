"""Support vector machines: the compiled parts.

Names: ``margins = y * (X w)`` (n,), ``alpha`` (n,) the dual variables in [0, upper], ``step`` (n,)
how far a dual variable may move for one unit of slack ``1 - margin``. With ``alpha`` held fixed::

    phi_i(s) = max over a in [0, upper_i] of  a s - (a - alpha_i)^2 / (2 step_i)

is the hinge loss made smooth around ``alpha``; with ``alpha = 0``, ``step = 2 cost`` and no upper
bound it is the squared hinge ``cost max(0, s)^2`` itself.
"""

from graphs._jit import kernel


@kernel
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


@kernel
def line_minimum(margins, change, linear, quadratic, alpha, step, upper):
    """Minimise ``linear t + quadratic t^2 / 2`` plus phi at ``margins + t change`` over t > 0.

    The derivative is piecewise linear and increasing: Newton's method inside a bracket finds its
    root. Returns t.
    """
    low, high, t = 0.0, -1.0, 1.0
    for _ in range(30):
        slope, curvature = linear + quadratic * t, quadratic
        for i in range(len(margins)):
            value = alpha[i] + step[i] * (1.0 - margins[i] - t * change[i])
            if value >= upper[i]:
                slope -= upper[i] * change[i]
            elif value > 0.0:
                slope -= value * change[i]
                curvature += step[i] * change[i] * change[i]
        if slope > 0.0:
            high = t
        else:
            low = t
        if abs(slope) <= 1e-3 * abs(linear) or curvature <= 0.0:
            break
        t -= slope / curvature
        if t <= low or (0.0 < high <= t):
            t = 0.5 * (low + high) if high > 0.0 else 2.0 * low
    return t


@kernel
def dual_epoch(data, indices, indptr, y, squares, bias, cost, ridge, order, alpha, w):
    """Minimise exactly over one dual variable after the other; ``w`` (p + 1,) is kept up to date.

    The last entry of w belongs to a constant feature of value ``bias``. Samples at a bound whose
    slack pushes outwards beyond what the last epoch saw are not looked at again (shrinking).

    data, indices, indptr : the rows of X;  squares : (n,) ||x_i||^2 + bias^2
    cost : (n,) upper bounds;  ridge : (n,) added to the curvature
    order : (n,) int32, samples in the order of the sweep
    Returns the largest violation of optimality that was met.
    """
    p = len(w) - 1
    worst = 0.0
    for i in order:
        score = bias * w[p]
        for slot in range(indptr[i], indptr[i + 1]):
            score += data[slot] * w[indices[slot]]
        slope = 1.0 - y[i] * score - ridge[i] * alpha[i]
        old = alpha[i]
        if (old <= 0.0 and slope <= 0.0) or (old >= cost[i] and slope >= 0.0):
            continue
        curvature = squares[i] + ridge[i]
        if curvature <= 0.0:
            new = cost[i]
        else:
            new = min(max(old + slope / curvature, 0.0), cost[i])
        worst = max(worst, abs(slope))
        if new != old:
            alpha[i] = new
            change = (new - old) * y[i]
            for slot in range(indptr[i], indptr[i + 1]):
                w[indices[slot]] += change * data[slot]
            w[p] += change * bias
    return worst
