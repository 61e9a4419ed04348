"""Continuous collision tests against boxes and polygons, rounded by a radius; touching is hitting.

A box is a row (2 d + 3,): centre (d), half sides (d), cosine and sine of its turn (used in two
dimensions only) and the radius it is rounded by. A polygon is a run of edges, rows (4,) = x0, y0,
x1, y1, of all its rings. All in metres.
"""

from graphs._jit import inner_kernel


@inner_kernel
def _local(box, p, k):
    """Coordinate ``k`` of ``p`` (d,) in the box's own frame."""
    d = p.shape[0]
    if d != 2:
        return p[k] - box[k]
    x, y = p[0] - box[0], p[1] - box[1]
    cos, sin = box[4], box[5]
    return cos * x + sin * y if k == 0 else cos * y - sin * x


@inner_kernel
def _overshoot(value, half):
    """How far ``value`` lies outside -half..half, signed."""
    return min(value + half, 0.0) + max(value - half, 0.0)


@inner_kernel
def _slope(box, p, q, t):
    """Half the derivative of the squared distance from the box to ``p + t (q - p)``."""
    d = p.shape[0]
    total = 0.0
    for k in range(d):
        start = _local(box, p, k)
        step = _local(box, q, k) - start
        total += step * _overshoot(start + t * step, box[d + k])
    return total


@inner_kernel
def _squared_gap(box, p, q, t):
    """Squared distance from the box to ``p + t (q - p)``."""
    d = p.shape[0]
    total = 0.0
    for k in range(d):
        start = _local(box, p, k)
        outside = _overshoot(start + t * (_local(box, q, k) - start), box[d + k])
        total += outside * outside
    return total


@inner_kernel
def _misses_slabs(box, p, q, radius):
    """Tell whether the segment misses the box whose sides are moved out by ``radius``."""
    d = p.shape[0]
    enter, leave = 0.0, 1.0
    for k in range(d):
        start = _local(box, p, k)
        end = _local(box, q, k)
        half = box[d + k] + radius
        if min(start, end) > half or max(start, end) < -half:
            return True
        step = end - start
        if step != 0.0:
            first, second = (-half - start) / step, (half - start) / step
            enter = max(enter, min(first, second))
            leave = min(leave, max(first, second))
    return enter > leave


@inner_kernel
def box_hits_segment(box, p, q):
    """Tell whether the segment from ``p`` to ``q`` (d,) touches the rounded ``box`` (2 d + 3,).

    The squared distance is convex and piecewise quadratic along the segment; its minimum is found
    in closed form between the places where a side is crossed.
    """
    d = p.shape[0]
    radius = box[2 * d + 2]
    if _misses_slabs(box, p, q, radius):
        return False
    if radius == 0.0 or not _misses_slabs(box, p, q, 0.0):
        return True
    low, high = 0.0, 1.0
    at_low, at_high = _slope(box, p, q, low), _slope(box, p, q, high)
    if at_low >= 0.0:
        return _squared_gap(box, p, q, 0.0) <= radius * radius
    if at_high <= 0.0:
        return _squared_gap(box, p, q, 1.0) <= radius * radius
    for k in range(d):
        start = _local(box, p, k)
        step = _local(box, q, k) - start
        if step == 0.0:
            continue
        for side in range(2):
            t = ((2 * side - 1) * box[d + k] - start) / step
            if low < t < high:
                slope = _slope(box, p, q, t)
                if slope < 0.0:
                    low, at_low = t, slope
                else:
                    high, at_high = t, slope
    t = low + (high - low) * (at_low / (at_low - at_high))
    return _squared_gap(box, p, q, t) <= radius * radius


@inner_kernel
def _squared_gap_to_line(x, y, ax, ay, bx, by):
    """Squared distance from the point (x, y) to the segment from a to b."""
    dx, dy = bx - ax, by - ay
    ox, oy = x - ax, y - ay
    length = dx * dx + dy * dy
    t = 0.0
    if length > 0.0:
        t = min(max((ox * dx + oy * dy) / length, 0.0), 1.0)
    return (ox - t * dx) ** 2 + (oy - t * dy) ** 2


@inner_kernel
def _side(ax, ay, bx, by, x, y):
    """Positive where (x, y) lies left of the line from a to b."""
    return (bx - ax) * (y - ay) - (by - ay) * (x - ax)


@inner_kernel
def _edge_hits_segment(edge, p, q, squared_radius):
    """Tell whether the segment comes within the radius of the edge."""
    ax, ay, bx, by = edge[0], edge[1], edge[2], edge[3]
    if _side(ax, ay, bx, by, p[0], p[1]) * _side(ax, ay, bx, by, q[0], q[1]) < 0.0:
        first = _side(p[0], p[1], q[0], q[1], ax, ay)
        second = _side(p[0], p[1], q[0], q[1], bx, by)
        if first * second <= 0.0:
            return True
    return (
        _squared_gap_to_line(p[0], p[1], ax, ay, bx, by) <= squared_radius
        or _squared_gap_to_line(q[0], q[1], ax, ay, bx, by) <= squared_radius
        or _squared_gap_to_line(ax, ay, p[0], p[1], q[0], q[1]) <= squared_radius
        or _squared_gap_to_line(bx, by, p[0], p[1], q[0], q[1]) <= squared_radius
    )


@inner_kernel
def polygon_hits_segment(edges, first, last, outline, p, q):
    """Tell whether the segment ``p`` to ``q`` (2,) touches the polygon of ``edges[first:last]``.

    outline : (6,), lowest and highest x, lowest and highest y (the radius included), the radius,
    and 1 where the edges enclose an area (even-odd, so that holes are holes), 0 for open lines.
    """
    low_x, high_x = min(p[0], q[0]), max(p[0], q[0])
    low_y, high_y = min(p[1], q[1]), max(p[1], q[1])
    if low_x > outline[1] or high_x < outline[0] or low_y > outline[3] or high_y < outline[2]:
        return False
    radius = outline[4]
    inside = False
    for e in range(first, last):
        edge = edges[e]
        if (edge[1] > p[1]) != (edge[3] > p[1]):
            x = edge[0] + (edge[2] - edge[0]) * ((p[1] - edge[1]) / (edge[3] - edge[1]))
            if p[0] < x:
                inside = not inside
        if (
            min(edge[0], edge[2]) - radius > high_x
            or max(edge[0], edge[2]) + radius < low_x
            or min(edge[1], edge[3]) - radius > high_y
            or max(edge[1], edge[3]) + radius < low_y
        ):
            continue
        if _edge_hits_segment(edge, p, q, radius * radius):
            return True
    return inside and outline[5] != 0.0


@inner_kernel
def shapes_motion_is_free(shapes, p, q):
    """Tell whether the segment ``p`` to ``q`` (d,) touches no shape; p == q is a point."""
    for i in range(shapes.boxes.shape[0]):
        if box_hits_segment(shapes.boxes[i], p, q):
            return False
    ptr = shapes.edge_ptr
    for i in range(shapes.outlines.shape[0]):
        if polygon_hits_segment(shapes.edges, ptr[i], ptr[i + 1], shapes.outlines[i], p, q):
            return False
    return True
