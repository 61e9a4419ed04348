"""Conjugate gradients on the free dual variables of a linear support vector machine, compiled.

Names as in ``bcd._svm_kernels``. On the face of the box where the others stay at their bounds the
dual is a quadratic with the matrix ``y_i y_k x_i'x_k`` plus ``ridge`` on its diagonal.
"""

from bcd._svm_kernels import add_row, row_dot
from graphs._jit import lean_kernel

FLAT = 1e-13  # share of a direction's curvature below which it has none
FEW_HALVINGS = 8
SHORT = 0.3  # of what was tried: shorter steps mean that too many variables met their bounds


@lean_kernel
def face_step(
    values, indices, indptr, y, squares, bias, upper, ridge, rows, alpha, w, share, most, work,
    buffer,
):  # fmt: skip
    """Move the variables ``rows`` towards the minimum over all of them, as far as the box allows.

    rows : (n_rows,) int32, variables between their bounds
    alpha, w : (n,), (p + 1,) changed in place, ``w = sum_i alpha_i y_i x_i``
    share : of the slopes' length, which is to be reached;  most : steps at most
    work : (5, n_rows), buffer : (p + 1,) overwritten
    Returns the number of conjugate gradient steps.
    """
    m, p = len(rows), len(w)
    slope, move, left, along, turned = work[0], work[1], work[2], work[3], work[4]
    length = 0.0
    for k in range(m):
        i = rows[k]
        slope[k] = 1.0 - y[i] * row_dot(values, indices, indptr, i, w, bias) - ridge[i] * alpha[i]
        move[k], left[k] = 0.0, slope[k]
        along[k] = slope[k] / (squares[i] + ridge[i])
        length += slope[k] * along[k]
    aim = share * share * length
    n_steps = 0
    while n_steps < most and length > aim:
        n_steps += 1
        curvature, bound = turn(
            values, indices, indptr, y, squares, bias, ridge, rows, along, turned, buffer
        )
        if curvature <= FLAT * bound:
            if n_steps == 1:
                for k in range(m):
                    move[k] = along[k] / FLAT
            break
        ratio, fresh = length / curvature, 0.0
        for k in range(m):
            i = rows[k]
            move[k] += ratio * along[k]
            left[k] -= ratio * turned[k]
            fresh += left[k] * left[k] / (squares[i] + ridge[i])
        for k in range(m):
            i = rows[k]
            along[k] = left[k] / (squares[i] + ridge[i]) + fresh / length * along[k]
        length = fresh
    factor = 1.0
    for _ in range(FEW_HALVINGS):
        for j in range(p):
            buffer[j] = 0.0
        linear, quadratic = 0.0, 0.0
        for k in range(m):
            i = rows[k]
            along[k] = min(max(alpha[i] + factor * move[k], 0.0), upper[i]) - alpha[i]
            linear += slope[k] * along[k]
            quadratic += ridge[i] * along[k] * along[k]
            add_row(values, indices, indptr, i, along[k] * y[i], buffer, bias)
        for j in range(p):
            quadratic += buffer[j] * buffer[j]
        if linear > 0.0 and linear >= SHORT * quadratic:
            scale = min(linear / quadratic, 1.0) if quadratic > 0.0 else 1.0
            for k in range(m):
                i = rows[k]
                alpha[i] = min(max(alpha[i] + scale * along[k], 0.0), upper[i])
            for j in range(p):
                w[j] += scale * buffer[j]
            break
        factor *= 0.5
    return n_steps


@lean_kernel
def turn(values, indices, indptr, y, squares, bias, ridge, rows, along, turned, buffer):
    """Multiply ``along`` (n_rows,) with the quadratic's matrix into ``turned``.

    Returns the curvature along it, and a bound on what is lost in rounding of that.
    """
    for j in range(len(buffer)):
        buffer[j] = 0.0
    for k in range(len(rows)):
        add_row(values, indices, indptr, rows[k], along[k] * y[rows[k]], buffer, bias)
    curvature, bound = 0.0, 0.0
    for k in range(len(rows)):
        i = rows[k]
        turned[k] = y[i] * row_dot(values, indices, indptr, i, buffer, bias) + ridge[i] * along[k]
        curvature += along[k] * turned[k]
        bound += along[k] * along[k] * (squares[i] + ridge[i])
    return curvature, bound
