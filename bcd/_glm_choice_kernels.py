"""Choices of a working-set solver of generalised linear models: what to screen, what to take in.

Names: ``c`` (m,) the pulls of the candidates ``columns`` (m,) int32; all other arrays have one
entry a feature: ``squares`` and ``lengths`` of the columns, ``in_block`` the working block's.
"""

from graphs._jit import kernel


@kernel
def keep_active(c, columns, lengths, l1, scale, radius, in_block, kept, kept_c):
    """Keep the candidates that the sphere about ``scale * c`` cannot rule out, and the block's.

    kept : (m,) int32, kept_c : (m,) overwritten;  returns the number kept
    """
    n = 0
    for k in range(len(columns)):
        j = columns[k]
        if in_block[j] or scale * abs(c[k]) + radius * lengths[j] >= l1[j]:
            kept[n], kept_c[n] = j, c[k]
            n += 1
    return n


@kernel
def list_violators(c, columns, squares, h, l1, l2, lower, upper, in_block, place, gain):
    """List the zeros outside the block that would move, and gains ``(|c| - l1)^2 / (h a'a + l2)``.

    place : (m,) int32 their columns, gain : (m,), both overwritten
    Returns their number.
    """
    n = 0
    for k in range(len(columns)):
        j = columns[k]
        excess = abs(c[k]) - l1[j]
        if excess > 0.0 and not in_block[j]:
            if (upper[j] > 0.0) if c[k] > 0.0 else (lower[j] < 0.0):
                place[n], gain[n] = j, excess * excess / (h * squares[j] + l2[j])
                n += 1
    return n
