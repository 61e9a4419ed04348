"""Passes over the columns of a design matrix A, dense or compressed by columns.

Names: ``r`` the residual (n,), ``c = A' r`` the correlations, ``weight`` (n,) the sample weights.
All sums are taken in float64 whatever the matrix holds. Slots and rows of sparse columns are
unsigned from where they are read, so that none is converted at each use.
"""

import numpy as np

from graphs._jit import inner_kernel, inner_sum_kernel, kernel, lean_kernel, sum_kernel

ONE = np.uint64(1)


@inner_sum_kernel
def dot(a, b):
    """Return the inner product of a column and a vector."""
    total = 0.0
    for i in range(len(a)):
        total += np.float64(a[i]) * b[i]
    return total


@inner_sum_kernel
def four_dots(a, b, c, d, r):
    """Do it for four columns at once: memory is read in four streams, ``r`` once."""
    t0, t1, t2, t3 = 0.0, 0.0, 0.0, 0.0
    for i in range(len(r)):
        value = r[i]
        t0 += np.float64(a[i]) * value
        t1 += np.float64(b[i]) * value
        t2 += np.float64(c[i]) * value
        t3 += np.float64(d[i]) * value
    return t0, t1, t2, t3


@lean_kernel
def correlate_columns(matrix, r, columns, out):
    """Set ``out[k] = matrix[:, columns[k]]' r`` on a Fortran-ordered matrix of shape (n, p).

    columns : (k,) int32;  out : (k,) float64, overwritten
    """
    whole = len(columns) - len(columns) % 4
    for k in range(0, whole, 4):
        a, b = matrix[:, columns[k]], matrix[:, columns[k + 1]]
        c, d = matrix[:, columns[k + 2]], matrix[:, columns[k + 3]]
        out[k], out[k + 1], out[k + 2], out[k + 3] = four_dots(a, b, c, d, r)
    for k in range(whole, len(columns)):
        out[k] = dot(matrix[:, columns[k]], r)


@sum_kernel
def correlate_rows(matrix, r, columns, out):
    """Do the same on a C-ordered matrix, a row at a time so that memory is walked forwards."""
    out[:] = 0.0
    n = matrix.shape[0]
    whole = len(columns) == matrix.shape[1]
    for k in range(len(columns)):
        whole = whole and columns[k] == k
    for i in range(n):
        weight = r[i]
        if weight == 0.0:
            continue
        row = matrix[i]
        if whole:
            for k in range(len(columns)):
                out[k] += weight * row[k]
        else:
            for k in range(len(columns)):
                out[k] += weight * row[columns[k]]


@lean_kernel
def correlate_sparse(data, indices, indptr, r, columns, out):
    """Do the same on a matrix in compressed sparse column form."""
    for k in range(len(columns)):
        j = np.uint64(columns[k])
        total = 0.0
        for slot in range(np.uint64(indptr[j]), np.uint64(indptr[j + ONE])):
            total += data[slot] * r[np.uint64(indices[slot])]
        out[k] = total


@kernel
def centered_squares_rows(matrix, weight, shift, r, means, out, c):
    """Weighted squared length of each column of a C-ordered (n, p) matrix, in two passes.

    weight : (n,);  shift : (n,) the direction whose part is taken out first, or (0,) for none
    r : (n,) what the columns are correlated with on the way, or (0,) for nothing
    means, out : (p,) float64, overwritten; out[j] = sum_i weight[i] (a[i, j] - means[j] shift[i])^2
    c : (p,) float64, overwritten with ``matrix' r`` where there is an r
    """
    n, p = matrix.shape
    means[:] = 0.0
    out[:] = 0.0
    c[:] = 0.0
    if len(shift):
        total = 0.0
        for i in range(n):
            share = weight[i] * shift[i]
            total += share * shift[i]
            for j in range(p):
                means[j] += share * matrix[i, j]
        for j in range(p):
            means[j] /= total
    for i in range(n):
        move = shift[i] if len(shift) else 0.0
        for j in range(p):
            value = matrix[i, j] - means[j] * move
            out[j] += weight[i] * value * value
        if len(r):
            for j in range(p):
                c[j] += r[i] * matrix[i, j]


@inner_sum_kernel
def _squared_length(a, weight, mean, shift):
    total = 0.0
    if len(shift):
        for i in range(len(a)):
            value = a[i] - mean * shift[i]
            total += weight[i] * value * value
    else:
        for i in range(len(a)):
            value = np.float64(a[i])
            total += weight[i] * value * value
    return total


@kernel
def centered_squares_columns(matrix, weight, shift, r, means, out, c):
    """Do the same on a Fortran-ordered matrix, a column at a time."""
    share = weight * shift if len(shift) else shift
    total = (share * shift).sum()
    for j in range(matrix.shape[1]):
        column = matrix[:, j]
        means[j] = dot(column, share) / total if len(shift) else 0.0
        out[j] = _squared_length(column, weight, means[j], shift)
        c[j] = dot(column, r) if len(r) else 0.0


@sum_kernel
def plain_squares_sparse(data, indices, indptr, n, centered, r, means, out, c):
    """Do the same on compressed sparse columns of n samples, all of weight one.

    centered : whether the part along the column of ones is taken out
    means : (p,), zero; else not touched, so that its memory is never taken
    """
    for j in range(len(indptr) - 1):
        start, stop = np.uint64(indptr[j]), np.uint64(indptr[j + 1])
        mean, square = 0.0, 0.0
        if centered:
            for slot in range(start, stop):
                mean += data[slot]
            mean /= n
            means[j] = mean
        for slot in range(start, stop):
            value = data[slot] - mean
            square += value * value
        out[j] = square + mean * mean * (n - np.int64(stop - start))
        if len(r):
            total = 0.0
            for slot in range(start, stop):
                total += data[slot] * r[np.uint64(indices[slot])]
            c[j] = total


@kernel
def centered_squares_sparse(data, indices, indptr, weight, shift, means, out):
    """Do the same on a matrix in compressed sparse column form, never densified."""
    share = weight * shift if len(shift) else shift
    total = (share * shift).sum()
    for j in range(len(indptr) - 1):
        mean, square, rest = 0.0, 0.0, total
        if len(shift):
            for slot in range(indptr[j], indptr[j + 1]):
                mean += data[slot] * share[indices[slot]]
            mean /= total
        for slot in range(indptr[j], indptr[j + 1]):
            i = indices[slot]
            move = shift[i] if len(shift) else 0.0
            value = data[slot] - mean * move
            square += weight[i] * value * value
            rest -= weight[i] * move * move
        means[j] = mean
        out[j] = square + (mean * mean * max(rest, 0.0) if len(shift) else 0.0)


@lean_kernel
def gather_from_columns(matrix, start, columns, means, root, shift, out):
    """Gather some centred, weighted columns, as many rows from ``start`` on as ``out`` holds.

    matrix : (n, p) Fortran-ordered;  root, shift : (n,) or (0,), which leaves them out
    out : (k, rows), overwritten by root * (A[:, j] - means[j] shift) with j = columns[k]
    """
    for k in range(len(columns)):
        column, mean, target = matrix[:, columns[k]], means[columns[k]], out[k]
        for i in range(len(target)):
            target[i] = column[start + i]
        if len(shift):
            for i in range(len(target)):
                target[i] -= mean * shift[start + i]
        if len(root):
            for i in range(len(target)):
                target[i] *= root[start + i]


@lean_kernel
def gather_from_rows(matrix, start, columns, means, root, shift, out):
    """Do the same on a C-ordered matrix, a row at a time so that memory is walked forwards."""
    for i in range(out.shape[1]):
        row = matrix[start + i]
        move = shift[start + i] if len(shift) else 0.0
        factor = root[start + i] if len(root) else 1.0
        for k in range(len(columns)):
            out[k, i] = factor * (row[columns[k]] - means[columns[k]] * move)


@kernel
def combine_columns(matrix, columns, coef, out):
    """Set ``out = matrix[:, columns] @ coef`` on a Fortran-ordered matrix."""
    out[:] = 0.0
    for k in range(len(columns)):
        column, weight = matrix[:, columns[k]], coef[k]
        for i in range(len(out)):
            out[i] += weight * column[i]


@inner_kernel
def _lay_out(data, indices, indptr, j, a, place, value, end):
    """Append the entries of column j, the a-th, to the rows that end at ``end``."""
    for slot in range(np.uint64(indptr[j]), np.uint64(indptr[j + 1])):
        i = np.uint64(indices[slot])
        place[end[i]], value[end[i]] = a, data[slot]
        end[i] += 1


@kernel
def gram_sparse(data, indices, indptr, left, right, weight, lower_only, out):
    """Set ``out[b, a]`` to the weighted inner products of columns right[b] and left[a].

    The left columns are laid out by rows first, so that a product of columns costs the rows in
    which both have an entry: density times less than walking along one column.

    lower_only : leave out ``a > b``, where left and right are the same
    out : (len(right), len(left)), overwritten
    """
    n = len(weight)
    begin = np.zeros(n + 1, dtype=np.int64)
    for a in range(len(left)):
        for slot in range(indptr[left[a]], indptr[left[a] + 1]):
            begin[indices[slot] + 1] += 1
    for i in range(n):
        begin[i + 1] += begin[i]
    place, value = np.empty(begin[n], dtype=np.int32), np.empty(begin[n])
    end = begin[:n].copy()
    if not lower_only:
        for a in range(len(left)):
            _lay_out(data, indices, indptr, left[a], a, place, value, end)
    out[:] = 0.0
    for b in range(len(right)):
        if lower_only:  # those behind it are not there yet
            _lay_out(data, indices, indptr, left[b], b, place, value, end)
        row = out[b]
        for slot in range(np.uint64(indptr[right[b]]), np.uint64(indptr[right[b] + 1])):
            sample = np.uint64(indices[slot])
            share = weight[sample] * data[slot]
            for k in range(np.uint64(begin[sample]), np.uint64(end[sample])):
                row[np.uint64(place[k])] += share * value[k]


@kernel
def combine_sparse(data, indices, indptr, columns, coef, out):
    """Set ``out = A[:, columns] @ coef`` on compressed sparse columns."""
    out[:] = 0.0
    for k in range(len(columns)):
        weight = coef[k]
        for slot in range(np.uint64(indptr[columns[k]]), np.uint64(indptr[columns[k] + 1])):
            out[np.uint64(indices[slot])] += weight * data[slot]


@lean_kernel
def scatter_sparse(data, indices, indptr, columns, out):
    """Write some compressed sparse columns into the rows of ``out``, which is zero before."""
    for k in range(len(columns)):
        for slot in range(indptr[columns[k]], indptr[columns[k] + 1]):
            out[k, indices[slot]] += data[slot]
