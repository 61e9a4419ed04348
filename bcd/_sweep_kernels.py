"""Conjugate gradients on a sparse symmetric system under a preconditioner of two triangular sweeps.

Rows hold their diagonal at ``middle``; pointers and indices are unsigned.

Symbols: A = L + D + L' with D its diagonal and L strictly below it; P the pivots of the incomplete
factorisation M = (P + L) P^-1 (P + L'). Eliminating in a forest's order, M is A on the forest.
"""

from __future__ import annotations

import numpy as np

from graphs._jit import kernel

CONVERGED = 0
OUT_OF_STEPS = 1
BROKEN_DOWN = 2
ROUNDING = 1e-28  # a squared residual smaller by this is rounding
SAFETY = 2.0  # of the estimate of what is left
SURE = 0.01  # of the tolerance: steps below it end a run, whatever the estimate says
ONE = np.uintp(1)


@kernel
def is_near(drops, step, window, total, tol):
    """Tell whether what is left of the objective is at most ``tol`` of all that it came down.

    Conjugate gradients come down by what all later steps will take: continued as a geometric
    series with the ratio of the last ``window`` steps to as many before.
    """
    if step + 1 < 2 * window:
        return False
    recent, earlier = 0.0, 0.0
    for k in range(window):
        recent += drops[step - k]
        earlier += drops[step - window - k]
    if recent <= SURE * tol * total:
        return True
    return recent < earlier and SAFETY * recent * recent <= tol * total * (earlier - recent)


@kernel
def incomplete_pivots(indptr, middle, indices, values, diagonal, relaxation, pivot):
    """Pivots of the incomplete factorisation that keeps A's pattern off the diagonal.

    relaxation : how much of the dropped fill is moved to the diagonal; 0 none, 1 all (row sums
        are then kept)
    pivot : (n,) float64, overwritten
    Returns whether all pivots are safely above zero.
    """
    n = len(diagonal)
    for i in range(n):
        pivot[i] = diagonal[i]
    for j in range(n):
        if not pivot[j] > 1e-8 * diagonal[j]:
            return False
        above = 0.0
        for s in range(middle[j] + ONE, indptr[j + 1]):
            above += values[s]
        inverse = 1.0 / pivot[j]
        for s in range(middle[j] + ONE, indptr[j + 1]):
            a = values[s]
            pivot[indices[s]] -= a * inverse * (a + relaxation * (above - a))
    return True


@kernel
def sweep_forwards(indptr, middle, indices, values, pivot, x):
    """Solve (P + L) y = x in place."""
    for i in range(len(pivot)):
        total = x[i]
        for s in range(indptr[i], middle[i]):
            total -= values[s] * x[indices[s]]
        x[i] = total / pivot[i]


@kernel
def swept_gradients(
    indptr,
    middle,
    indices,
    values,
    diagonal,
    pivot,
    x,
    r,
    work,
    total,
    tol,
    window,
    drops,
    max_iter,
):
    """Run conjugate gradients from ``x`` by Eisenstat's trick: a step costs one pass over A.

    x : (n,) float64, improved in place
    r : (n,) float64, (P + L)^-1 (b - A x) on entry, kept up to date
    work : (4, n) float64, overwritten
    total : what the way to ``x`` took off the objective
    tol, window : when the run ends; see ``is_near``
    drops : (max_iter,) float64, overwritten: what each step took off the objective
    Returns the status and the number of steps.
    """
    n = len(x)
    p, t, w, inverse = work[0], work[1], work[2], work[3]
    rho, beta = 0.0, 0.0
    for i in range(n):
        inverse[i] = 1.0 / pivot[i]
        rho += pivot[i] * r[i] * r[i]
        p[i] = 0.0
    floor = ROUNDING * rho
    for step in range(max_iter):
        if rho <= floor:
            return CONVERGED, step
        for i in range(n - 1, -1, -1):  # t = (P + L')^-1 p
            direction = pivot[i] * r[i] + beta * p[i]
            p[i] = direction
            for s in range(middle[i] + ONE, indptr[i + 1]):
                direction -= values[s] * t[indices[s]]
            t[i] = direction * inverse[i]
        curvature = 0.0
        for i in range(n):  # w = (P + L)^-1 (p - (2 P - D) t); the product is t + w
            rest = p[i] - (2.0 * pivot[i] - diagonal[i]) * t[i]
            for s in range(indptr[i], middle[i]):
                rest -= values[s] * w[indices[s]]
            w[i] = rest * inverse[i]
            curvature += p[i] * (t[i] + w[i])
        if not curvature > 0.0:
            return BROKEN_DOWN, step
        length = rho / curvature
        drops[step] = 0.5 * length * rho
        total += drops[step]
        before, rho = rho, 0.0
        for i in range(n):
            x[i] += length * t[i]
            r[i] -= length * (t[i] + w[i])
            rho += pivot[i] * r[i] * r[i]
        beta = rho / before
        if is_near(drops, step, window, total, tol):
            return CONVERGED, step + 1
    return OUT_OF_STEPS, max_iter
