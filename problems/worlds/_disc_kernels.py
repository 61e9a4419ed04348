"""Continuous collision tests against discs (balls in any dimension); touching is a collision."""

from graphs._jit import inner_kernel


@inner_kernel
def disc_contains(disc, p):
    """Tell whether point ``p`` (d,) lies in the closed ``disc`` (d + 1,) = centre, radius."""
    d = p.shape[0]
    squared = 0.0
    for k in range(d):
        squared += (p[k] - disc[k]) * (p[k] - disc[k])
    return squared <= disc[d] * disc[d]


@inner_kernel
def disc_hits_segment(disc, p, q):
    """Tell whether the segment from ``p`` to ``q`` (d,) touches ``disc`` (d + 1,).

    The nearest point of the segment to the centre is found in closed form, so nothing tunnels.
    """
    d = p.shape[0]
    along = 0.0
    length = 0.0
    to_start = 0.0
    to_end = 0.0
    for k in range(d):
        step = q[k] - p[k]
        offset = disc[k] - p[k]
        far = disc[k] - q[k]
        along += step * offset
        length += step * step
        to_start += offset * offset
        to_end += far * far
    limit = disc[d] * disc[d]
    if to_start <= limit or to_end <= limit:
        return True
    if along <= 0.0 or along >= length:
        return False
    return to_start * length - along * along <= limit * length


@inner_kernel
def discs_point_is_free(discs, p):
    """Tell whether ``p`` (d,) lies in none of the ``discs`` (m, d + 1)."""
    for i in range(discs.shape[0]):
        if disc_contains(discs[i], p):
            return False
    return True


@inner_kernel
def discs_motion_is_free(discs, p, q):
    """Tell whether the segment ``p`` to ``q`` (d,) touches none of the ``discs`` (m, d + 1)."""
    for i in range(discs.shape[0]):
        if disc_hits_segment(discs[i], p, q):
            return False
    return True
