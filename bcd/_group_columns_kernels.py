"""Least squares with group penalties by the residual of gathered columns: the compiled parts.

Names, for k columns of which those of one group stand next to each other: ``C`` (k, n) the columns
as rows, ``r = b - C' x`` (n,) the residual, ``l1`` (k,), ``weight`` and ``group_ptr`` as in
:mod:`bcd._group_kernels`; ``blocks`` the Gram matrices of the groups, one after the other from
``block_ptr[g]`` on. With ``plain`` the columns of each group are orthogonal.
"""

import math

import numpy as np

from bcd._group_kernels import solve_block_by_steps, solve_diagonal_block
from graphs._jit import inner_kernel, inner_sum_kernel, kernel, lean_kernel


@inner_sum_kernel
def correlate_group(C, a, b, r, out):
    """Set ``out[j] = C[a + j]' r``, four columns at a time."""
    n, j = len(r), a
    while j + 4 <= b:
        c0, c1, c2, c3 = C[j], C[j + 1], C[j + 2], C[j + 3]
        t0, t1, t2, t3 = 0.0, 0.0, 0.0, 0.0
        for i in range(n):
            value = r[i]
            t0 += c0[i] * value
            t1 += c1[i] * value
            t2 += c2[i] * value
            t3 += c3[i] * value
        out[j - a], out[j + 1 - a], out[j + 2 - a], out[j + 3 - a] = t0, t1, t2, t3
        j += 4
    while j < b:
        column, total = C[j], 0.0
        for i in range(n):
            total += column[i] * r[i]
        out[j - a] = total
        j += 1


@inner_kernel
def add_group(C, a, b, weight, r):
    """Add ``sum_j weight[j] C[a + j]`` to ``r``, four columns at a time."""
    n, j = len(r), a
    while j + 4 <= b:
        c0, c1, c2, c3 = C[j], C[j + 1], C[j + 2], C[j + 3]
        w0, w1, w2, w3 = weight[j - a], weight[j + 1 - a], weight[j + 2 - a], weight[j + 3 - a]
        for i in range(n):
            r[i] += w0 * c0[i] + w1 * c1[i] + w2 * c2[i] + w3 * c3[i]
        j += 4
    while j < b:
        column, w = C[j], weight[j - a]
        for i in range(n):
            r[i] += w * column[i]
        j += 1


@kernel
def sweep_columns(
    C, r, x, l1, weight, group_ptr, eigenvalues, blocks, block_ptr, plain, positive, n_sweeps
):
    """Sweep over the groups; groups at zero are looked at in the first sweep only.

    eigenvalues : (k,) of the groups' Gram matrices, ascending in each group
    r, x : changed in place
    """
    largest = 0
    for g in range(len(weight)):
        largest = max(largest, group_ptr[g + 1] - group_ptr[g])
    pull, fresh = np.empty(largest), np.empty(largest)
    for sweep in range(n_sweeps):
        for g in range(len(weight)):
            a, b = group_ptr[g], group_ptr[g + 1]
            m, top = b - a, eigenvalues[b - 1]
            if top <= 0.0:
                continue
            resting = True
            for j in range(a, b):
                resting = resting and x[j] == 0.0
            if sweep > 0 and resting:
                continue
            c, new = pull[:m], fresh[:m]
            correlate_group(C, a, b, r, c)
            if plain:
                for j in range(m):
                    c[j] += eigenvalues[a + j] * x[a + j]
                solve_diagonal_block(c, eigenvalues[a:b], weight[g], new)
            else:
                block = blocks[block_ptr[g] : block_ptr[g + 1]].reshape(m, m)
                for j in range(m):
                    for i in range(m):
                        c[j] += block[j, i] * x[a + i]
                solve_block_by_steps(block, c, x[a:b], l1[a:b], weight[g], positive, top, 20, new)
            moves = False
            for j in range(m):
                delta = x[a + j] - new[j]
                x[a + j] = new[j]
                new[j] = delta
                moves = moves or delta != 0.0
            if moves:
                add_group(C, a, b, new, r)


@lean_kernel
def root_of_proximal_slope(C, x, sigma, norms, weight, group_of, support, out):
    """Set ``out`` (s, n) to ``P^(1/2) C[support]``, P the slope of the penalty's proximal point.

    For group g that is ``sigma (kept I + (1 - kept) u u')`` on the nonzero coordinates, ``u`` their
    direction and ``kept`` what is left of the length ``norms[g]`` when its weight is taken off.
    """
    s, n = out.shape
    first = 0
    while first < s:
        g = group_of[support[first]]
        last, squares = first, 0.0
        while last < s and group_of[support[last]] == g:
            squares += x[support[last]] ** 2
            last += 1
        kept = 1.0 - sigma[g] * weight[g] / norms[g]
        scale = math.sqrt(sigma[g])
        narrow = scale * math.sqrt(kept)
        extra = (scale - narrow) / squares
        anchor = out[first]  # holds sum_j x_j C_j until its own turn, which comes last
        for i in range(n):
            anchor[i] = 0.0
        for a in range(first, last):
            value, column = x[support[a]], C[support[a]]
            for i in range(n):
                anchor[i] += value * column[i]
        for a in range(last - 1, first - 1, -1):
            along, column, target = extra * x[support[a]], C[support[a]], out[a]
            for i in range(n):
                target[i] = narrow * column[i] + along * anchor[i]
        first = last
