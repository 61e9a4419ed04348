"""Least squares with group penalties on a small Gram matrix: the compiled parts.

Names, for k columns of which those of one group stand next to each other: ``G`` (k, k) the Gram
matrix, ``h = q - G x`` the negative gradient, ``l1`` (k,) and ``weight`` (one a group) the
penalties ``sum_j l1_j |x_j| + sum_g weight_g ||x_g||_2``, ``group_ptr`` where each group starts.
With ``positive`` the solution is confined to ``x >= 0``.
"""

import math

import numpy as np

from graphs._jit import kernel


@kernel
def shrink(c, l1, positive):
    """Soft threshold of one number, onto the nonnegative side where asked."""
    if c > l1:
        return c - l1
    if c < -l1 and not positive:
        return c + l1
    return 0.0


@kernel
def dual_norm(c, l1, weight, positive):
    """Return the least nu for which ``c`` lies in nu times the penalty's dual ball.

    That is the root of ``||soft(c, nu l1)|| = nu weight``, the epsilon-norm of Burdakov (1988) and
    of Ndiaye, Fercoq, Gramfort & Salmon (2016). The left side minus the right is convex and
    decreasing, so Newton's method from zero climbs to the root without overshooting it.

    c, l1 : (size of the group,);  weight and l1 not all zero
    """
    nu = 0.0
    for _ in range(100):
        squares, slope = 0.0, 0.0
        for j in range(len(c)):
            rest = shrink(c[j], nu * l1[j], positive)
            squares += rest * rest
            slope += abs(rest) * l1[j]
        norm = math.sqrt(squares)
        excess = norm - nu * weight
        if excess <= 1e-15 * norm or norm == 0.0:
            break
        step = excess / (slope / norm + weight)
        if nu + step == nu:
            break
        nu += step
    return nu


@kernel
def dual_norms(c, l1, weight, group_ptr, positive, out):
    """Set ``out[g]`` to the dual norm of each group's part of ``c``."""
    for g in range(len(weight)):
        a, b = group_ptr[g], group_ptr[g + 1]
        out[g] = dual_norm(c[a:b], l1[a:b], weight[g], positive)


@kernel
def excess_norms(c, l1, group_ptr, positive, out):
    """Set ``out[g]`` to ``||soft(c_g, l1_g)||``: a group at zero is optimal up to its weight."""
    for g in range(len(group_ptr) - 1):
        squares = 0.0
        for j in range(group_ptr[g], group_ptr[g + 1]):
            rest = shrink(c[j], l1[j], positive)
            squares += rest * rest
        out[g] = math.sqrt(squares)


@kernel
def penalty_of_groups(x, l1, weight, group_ptr):
    """Return ``sum_j l1_j |x_j| + sum_g weight_g ||x_g||``."""
    total = 0.0
    for g in range(len(weight)):
        squares = 0.0
        for j in range(group_ptr[g], group_ptr[g + 1]):
            squares += x[j] * x[j]
            total += l1[j] * abs(x[j])
        total += weight[g] * math.sqrt(squares)
    return total


@kernel
def solve_diagonal_block(c, eigenvalues, weight, out):
    """Minimise ``1/2 sum_i eigenvalues_i x_i^2 - c'x + weight ||x||`` exactly.

    ``x = c t / (s t + weight)`` with ``t = ||x||``, hence t solves
    ``(sum_i (c_i / (s_i t + weight))^2)^(-1/2) = 1``. The left side is concave and increasing, so
    Newton's method from the left never overshoots.

    c, out : (m,);  eigenvalues : (m,) ascending
    """
    m = len(c)
    squares = 0.0
    for j in range(m):
        squares += c[j] * c[j]
    norm = math.sqrt(squares)
    for j in range(m):
        out[j] = 0.0
    if norm <= weight:
        return
    top = eigenvalues[m - 1]
    floor = 1e-14 * top
    if weight == 0.0:
        for i in range(m):
            out[i] = c[i] / eigenvalues[i] if eigenvalues[i] > floor else 0.0
        return
    t = (norm - weight) / top
    for _ in range(100):
        total, slope = 0.0, 0.0
        for i in range(m):
            s = max(eigenvalues[i], floor)
            inverse = 1.0 / (s * t + weight)
            ratio = c[i] * inverse
            total += ratio * ratio
            slope += ratio * ratio * s * inverse
        if total <= 1.0 + 1e-14:
            break
        step = total * (math.sqrt(total) - 1.0) / slope
        if t + step == t:
            break
        t += step
    for i in range(m):
        out[i] = c[i] * t / (max(eigenvalues[i], floor) * t + weight)


@kernel
def solve_block_exactly(c, basis, eigenvalues, weight, out):
    """Minimise ``1/2 x'Bx - c'x + weight ||x||`` exactly, B given by its eigendecomposition.

    c, out : (m,);  basis : (m, m) eigenvectors as columns;  eigenvalues : (m,) ascending
    """
    m = len(c)
    squares = 0.0
    for j in range(m):
        squares += c[j] * c[j]
    out[:] = 0.0
    if math.sqrt(squares) <= weight:
        return
    rotated, solved = np.zeros(m), np.empty(m)
    for j in range(m):
        for i in range(m):
            rotated[i] += basis[j, i] * c[j]
    solve_diagonal_block(rotated, eigenvalues, weight, solved)
    for j in range(m):
        for i in range(m):
            out[j] += basis[j, i] * solved[i]


@kernel
def solve_block_by_steps(B, c, x, l1, weight, positive, top, n_steps, out):
    """Take proximal gradient steps on one group, from its present value.

    B : (m, m) = G_gg;  c : (m,) = h_g + G_gg x_g;  x, l1 : (m,)
    top : the largest eigenvalue of B;  out : (m,), overwritten
    """
    m = len(c)
    squares = 0.0
    for j in range(m):
        out[j] = 0.0
        squares += shrink(c[j], l1[j], positive) ** 2
    if squares <= weight * weight:
        return
    for j in range(m):
        out[j] = x[j]
    moved = np.empty(m)
    for _ in range(n_steps):
        squares = 0.0
        for j in range(m):
            gradient = c[j]
            for i in range(m):
                gradient -= B[j, i] * out[i]
            moved[j] = shrink(out[j] + gradient / top, l1[j] / top, positive)
            squares += moved[j] * moved[j]
        norm = math.sqrt(squares)
        kept = max(0.0, 1.0 - weight / (top * norm)) if norm > 0.0 else 0.0
        change, size = 0.0, 0.0
        for j in range(m):
            value = kept * moved[j]
            change = max(change, abs(value - out[j]))
            size = max(size, abs(value))
            out[j] = value
        if change <= 1e-6 * size or size == 0.0:
            break


@kernel
def sweep_groups(G, h, x, l1, weight, group_ptr, basis, basis_ptr, eigenvalues, plain, positive, n):
    """Sweep n times over the groups; groups at zero are looked at in the first sweep only.

    basis, basis_ptr, eigenvalues : eigendecompositions of the diagonal blocks, one after the other
    plain : whether neither l1 nor positive is at work, so that block updates are exact
    h, x : (k,), changed in place
    """
    k = len(x)
    for sweep in range(n):
        for g in range(len(weight)):
            a, b = group_ptr[g], group_ptr[g + 1]
            m = b - a
            top = eigenvalues[b - 1]
            if top <= 0.0:
                continue
            if sweep > 0:
                resting = True
                for j in range(a, b):
                    resting = resting and x[j] == 0.0
                if resting:
                    continue
            c, new = np.empty(m), np.empty(m)
            for j in range(m):
                c[j] = h[a + j]
                for i in range(m):
                    c[j] += G[a + j, a + i] * x[a + i]
            if m == 1:
                threshold = l1[a] + weight[g]
                new[0] = shrink(c[0], threshold, positive) / top
            elif plain:
                start = basis_ptr[g]
                vectors = basis[start : start + m * m].reshape(m, m)
                solve_block_exactly(c, vectors, eigenvalues[a:b], weight[g], new)
            else:
                own = G[a:b, a:b]
                solve_block_by_steps(own, c, x[a:b], l1[a:b], weight[g], positive, top, 20, new)
            for j in range(m):
                delta = new[j] - x[a + j]
                if delta != 0.0:
                    x[a + j] = new[j]
                    row = G[a + j]
                    for i in range(k):
                        h[i] -= delta * row[i]


@kernel
def newton_system(G, h, x, l1, weight, group_of, support, matrix, rhs):
    """Hessian and negative gradient on the nonzero coordinates, where the objective is smooth.

    The norm of group g adds ``weight / ||x_g|| (I - x_g x_g' / ||x_g||^2)`` to the Hessian.

    support : (s,) int64 ascending;  matrix : (s, s), rhs : (s,), both overwritten
    """
    s = len(support)
    first = 0
    while first < s:
        g = group_of[support[first]]
        last, squares = first, 0.0
        while last < s and group_of[support[last]] == g:
            squares += x[support[last]] ** 2
            last += 1
        norm = math.sqrt(squares)
        bend = weight[g] / norm
        for a in range(first, last):
            j = support[a]
            row = G[j]
            for b in range(s):
                matrix[a, b] = row[support[b]]
            part = bend * x[j] / norm
            for b in range(first, last):
                matrix[a, b] -= part * x[support[b]] / norm
            matrix[a, a] += bend
            rhs[a] = h[j] - bend * x[j] - l1[j] * np.sign(x[j])
        first = last


@kernel
def crosses_zero(x, l1, group_of, positive, support, step):
    """Tell whether ``x + step`` leaves the piece on which the objective is smooth.

    A group does when it turns by more than a right angle; a coordinate with an l1 penalty or a
    bound when its sign changes.
    """
    s = len(support)
    first = 0
    while first < s:
        g = group_of[support[first]]
        last, along = first, 0.0
        while last < s and group_of[support[last]] == g:
            j = support[last]
            along += x[j] * (x[j] + step[last])
            if (positive or l1[j] > 0.0) and x[j] * (x[j] + step[last]) <= 0.0:
                return True
            last += 1
        if along <= 0.0:
            return True
        first = last
    return False


@kernel
def proximal_point(center, c, sigma, l1, weight, group_ptr, positive, out, norms):
    """Set ``out`` to the proximal point of the penalty at ``center + sigma c``, group by group.

    sigma : (n_groups,) the step of each group;  norms : (n_groups,) overwritten with the length of
    each group before its norm was shrunk
    Returns ``sum_g ||out_g||^2 / (2 sigma_g)``.
    """
    total = 0.0
    for g in range(len(weight)):
        a, b = group_ptr[g], group_ptr[g + 1]
        squares = 0.0
        for j in range(a, b):
            out[j] = shrink(center[j] + sigma[g] * c[j], sigma[g] * l1[j], positive)
            squares += out[j] * out[j]
        norms[g] = math.sqrt(squares)
        kept = 0.0
        if norms[g] > sigma[g] * weight[g]:
            kept = 1.0 - sigma[g] * weight[g] / norms[g]
        for j in range(a, b):
            out[j] *= kept
        total += squares * kept * kept / (2.0 * sigma[g])
    return total


@kernel
def dual_newton_system(G, h, q, x, sigma, norms, weight, group_of, support, matrix, rhs):
    """Build the Newton system of the proximal problem's dual on the nonzero coordinates.

    x : (k,) the proximal point;  h : (k,) ``q - G v`` at the present dual variable ``b - A v``
    norms : (n_groups,) from ``proximal_point``;  matrix : (s, s), rhs : (s,), both overwritten
    The solution of the system is the next ``v`` on the support.
    """
    s = len(support)
    first = 0
    while first < s:
        g = group_of[support[first]]
        last = first
        while last < s and group_of[support[last]] == g:
            last += 1
        kept = 1.0 - sigma[g] * weight[g] / norms[g]
        length = norms[g] * kept
        for a in range(first, last):
            j = support[a]
            row = G[j]
            for b in range(s):
                matrix[a, b] = row[support[b]]
            part = (1.0 - 1.0 / kept) / sigma[g] * x[j] / length
            for b in range(first, last):
                matrix[a, b] += part * x[support[b]] / length
            matrix[a, a] += 1.0 / (kept * sigma[g])
            rhs[a] = x[j] / sigma[g] + q[j] - h[j]
        first = last


@kernel
def move_support(G, h, x, support, step):
    """Add ``step`` (s,) to ``x`` on the support and keep ``h`` up to date."""
    k = len(x)
    for a in range(len(support)):
        if step[a] != 0.0:
            j = support[a]
            x[j] += step[a]
            row = G[j]
            for i in range(k):
                h[i] -= step[a] * row[i]
