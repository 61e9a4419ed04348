"""Coordinate descent on dense columns, four at a time.

Four columns are multiplied with the residual while it is read once, and taken off it while it is
written once; what each one's move changes in the next one's pull follows from their inner products,
which stand until the columns are regrouped. So a sweep is the very one that goes column by column,
with fewer readings of the residual. Names as in ``bcd._residual_kernels``.
"""

import numpy as np

from bcd._active_set_kernels import soft_threshold
from bcd._design_kernels import dot, four_dots
from graphs._jit import inner_kernel, inner_sum_kernel, kernel

PAIRS = 6  # of four columns: (0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)


@inner_sum_kernel
def _four_dots_and_pairs(a, b, c, d, r):
    t0, t1, t2, t3 = 0.0, 0.0, 0.0, 0.0
    ab, ac, bc, ad, bd, cd = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(len(r)):
        value = r[i]
        p, q, s, t = np.float64(a[i]), np.float64(b[i]), np.float64(c[i]), np.float64(d[i])
        t0 += p * value
        t1 += q * value
        t2 += s * value
        t3 += t * value
        ab += p * q
        ac += p * s
        bc += q * s
        ad += p * t
        bd += q * t
        cd += s * t
    return t0, t1, t2, t3, ab, ac, bc, ad, bd, cd


@inner_sum_kernel
def add_four(a, b, c, d, weight, out):
    """Add four columns, times ``weight`` (4,), to ``out``."""
    w0, w1, w2, w3 = weight[0], weight[1], weight[2], weight[3]
    for i in range(len(out)):
        out[i] += w0 * a[i] + w1 * b[i] + w2 * c[i] + w3 * d[i]


@inner_kernel
def _add(column, weight, out):
    for i in range(len(out)):
        out[i] += weight * column[i]


@inner_kernel
def exact_update(pull, j, squares, x, l1, l2, lower, upper):
    """Return what minimises the objective over coordinate j, where ``pull`` is ``a_j' r``."""
    new = soft_threshold(pull + squares[j] * x[j], l1[j]) / (squares[j] + l2[j])
    return min(max(new, lower[j]), upper[j])


@inner_kernel
def _regroup(matrix, chosen, four, mean, length, r, pull, pairs):
    """Set ``pull`` (4,) to the columns' products with r, ``pairs`` (6,) to those with each other.

    The latter are those of the columns less ``mean u``.
    """
    a, b, c, d = four
    columns = matrix[:, chosen[a]], matrix[:, chosen[b]], matrix[:, chosen[c]], matrix[:, chosen[d]]
    found = _four_dots_and_pairs(*columns, r)
    pull[0], pull[1], pull[2], pull[3] = found[0], found[1], found[2], found[3]
    pairs[0] = found[4] - mean[a] * mean[b] * length
    pairs[1] = found[5] - mean[a] * mean[c] * length
    pairs[2] = found[6] - mean[b] * mean[c] * length
    pairs[3] = found[7] - mean[a] * mean[d] * length
    pairs[4] = found[8] - mean[b] * mean[d] * length
    pairs[5] = found[9] - mean[c] * mean[d] * length


@kernel
def sweep_dense(
    matrix, chosen, mean, length, squares, x, r, shift, l1, l2, lower, upper, n_sweeps, enough
):
    """Do as ``sweep_residual`` on columns ``chosen`` (k,) of a matrix in Fortran order.

    What becomes zero after the second sweep is looked at on: its place among four costs nothing.
    """
    order, n = np.empty(len(x), dtype=np.int32), 0
    pull, moved = np.empty(4), np.empty(4)
    pairs = np.empty((len(x) // 4, PAIRS))
    for j in range(len(x)):
        if squares[j] + l2[j] > 0.0:
            order[n] = j
            n += 1
    changes, regroup = 0, True
    for sweep in range(n_sweeps):
        if sweep == 1:
            kept = 0
            for a in range(n):
                if x[order[a]] != 0.0:
                    order[kept] = order[a]
                    kept += 1
            regroup, n = kept < n, kept
        changes, decrease = 0, 0.0
        for start in range(0, n, 4):
            size = min(4, n - start)
            if size == 4:
                a, b, c, d = order[start], order[start + 1], order[start + 2], order[start + 3]
                beside = pairs[start // 4]
                if regroup:
                    _regroup(matrix, chosen, (a, b, c, d), mean, length, r, pull, beside)
                else:
                    pull[0], pull[1], pull[2], pull[3] = four_dots(
                        matrix[:, chosen[a]],
                        matrix[:, chosen[b]],
                        matrix[:, chosen[c]],
                        matrix[:, chosen[d]],
                        r,
                    )
            drift, pair, moves = shift[0] * length, 0, False
            for i in range(size):
                j = order[start + i]
                if size < 4:
                    own = dot(matrix[:, chosen[j]], r) + shift[0] * length * mean[j]
                else:
                    own = pull[i] + drift * mean[j]
                    for before in range(i):
                        own += beside[pair] * moved[before]
                        pair += 1
                new = exact_update(own, j, squares, x, l1, l2, lower, upper)
                change = x[j] - new
                moved[i] = change
                if change != 0.0:
                    moves = True
                    decrease += 0.5 * (squares[j] + l2[j]) * change**2
                    changes += int((new == 0.0) != (x[j] == 0.0))
                    shift[0] -= change * mean[j]
                    x[j] = new
                    if size < 4:
                        _add(matrix[:, chosen[j]], change, r)
            if size == 4 and moves:
                add_four(
                    matrix[:, chosen[a]],
                    matrix[:, chosen[b]],
                    matrix[:, chosen[c]],
                    matrix[:, chosen[d]],
                    moved,
                    r,
                )
        regroup = False
        if decrease <= enough:
            break
    return changes
