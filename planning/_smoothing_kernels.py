"""Shortening a chain of waypoints that stays free: shortcuts, and steps that end before a hit."""

from graphs._jit import kernel
from planning._roads import distance
from problems.worlds._clearance_kernels import clearance_at
from problems.worlds.kernels import motion_is_free

SHORTEST_STEP = 1.0 / 64.0
TAKEN = 1e-12  # a step must shorten the chain by this share


@kernel
def chain_length(points):
    """Length of the chain ``points`` (k, d), metres."""
    total = 0.0
    for i in range(points.shape[0] - 1):
        total += distance(points, i, points[i + 1])
    return total


@kernel
def first_blocked_leg(arrays, points):
    """Return the first leg of the chain ``points`` (k, d) that hits something, or -1."""
    for i in range(points.shape[0] - 1):
        if not motion_is_free(arrays, points[i], points[i + 1]):
            return i
    return -1


@kernel
def shortest_subchain(arrays, points, cost, previous):
    """Find the shortest free chain from first to last through some of ``points`` (k, d), in order.

    cost : (k,) float64, previous : (k,) int64, overwritten; follow ``previous`` back from the last.
    Consecutive points must be joined by free motions.
    """
    cost[0] = 0.0
    previous[0] = -1
    for j in range(1, points.shape[0]):
        cost[j] = cost[j - 1] + distance(points, j - 1, points[j])
        previous[j] = j - 1
        for i in range(j - 1):
            through = cost[i] + distance(points, i, points[j])
            if through < cost[j] * (1.0 - TAKEN) and motion_is_free(arrays, points[i], points[j]):
                cost[j] = through
                previous[j] = i


@kernel
def length_model(points, damping, diagonal, link, pull):
    """Second-order model of the chain's length in its inner points, damped to be definite.

    diagonal : (k - 2, d, d), link : (k - 3, d, d), pull : (k - 2, d), minus the gradient; all are
    overwritten. A leg of length l in direction u has the Hessian (1 - u u') / l.
    """
    k, d = points.shape
    diagonal[:] = 0.0
    link[:] = 0.0
    pull[:] = 0.0
    for leg in range(k - 1):
        length = max(distance(points, leg, points[leg + 1]), 1e-9)
        i = leg - 1  # inner number of its first point
        for a in range(d):
            along = (points[leg + 1, a] - points[leg, a]) / length
            if leg > 0:
                pull[i, a] += along
            if leg < k - 2:
                pull[i + 1, a] -= along
            for b in range(d):
                across = (1.0 + damping if a == b else 0.0) - along * (
                    points[leg + 1, b] - points[leg, b]
                ) / length
                across /= length
                if leg > 0:
                    diagonal[i, a, b] += across
                if leg < k - 2:
                    diagonal[i + 1, a, b] += across
                if 0 < leg < k - 2:
                    link[i, a, b] -= across


@kernel
def take_step(arrays, points, step, trial):
    """Move inner points of a free chain along ``step`` (k - 2, d), as far as is free and shorter.

    points : (k, d), overwritten;  trial : (k, d), workspace
    All together first; else one by one, each as far as it can. Returns whether anything moved.
    """
    k = points.shape[0]
    length = chain_length(points)
    t = 1.0
    while t >= 0.25:
        trial[:] = points
        trial[1 : k - 1] += t * step
        if chain_length(trial) < length * (1.0 - TAKEN) and first_blocked_leg(arrays, trial) < 0:
            points[:] = trial
            return True
        t *= 0.5
    moved = False
    for i in range(1, k - 1):
        here = distance(points, i, points[i - 1]) + distance(points, i, points[i + 1])
        t = 1.0
        while t >= SHORTEST_STEP:
            trial[i] = points[i] + t * step[i - 1]
            there = distance(trial, i, points[i - 1]) + distance(trial, i, points[i + 1])
            if (
                there < here * (1.0 - TAKEN)
                and motion_is_free(arrays, points[i - 1], trial[i])
                and motion_is_free(arrays, trial[i], points[i + 1])
            ):
                points[i] = trial[i]
                moved = True
                break
            t *= 0.5
    return moved


@kernel
def clearance_deficit(arrays, points, wanted):
    """Squared shortfall of clearance below ``wanted``, times length, over the chain's points.

    Each inner point of ``points`` (k, d) counts for half of both its legs; metres cubed.
    """
    total = 0.0
    for i in range(1, points.shape[0] - 1):
        short = wanted - clearance_at(arrays, points[i], wanted)
        span = distance(points, i, points[i - 1]) + distance(points, i, points[i + 1])
        total += 0.5 * span * short * short
    return total


@kernel
def add_clearance_model(arrays, points, wanted, weight, diagonal, pull):
    """Add ``weight / 2`` times the deficit to a model of the chain, Gauss-Newton in each point.

    points : (k, d);  diagonal : (k - 2, d, d), pull : (k - 2, d), as in ``length_model``
    """
    k, d = points.shape
    step = 1e-3 * wanted
    probe = points[0].copy()
    away = points[0].copy()
    for i in range(1, k - 1):
        short = wanted - clearance_at(arrays, points[i], wanted)
        if short <= 0.0:
            continue
        span = distance(points, i, points[i - 1]) + distance(points, i, points[i + 1])
        probe[:] = points[i]
        for a in range(d):
            probe[a] = points[i, a] + step
            ahead = clearance_at(arrays, probe, 2.0 * wanted)
            probe[a] = points[i, a] - step
            away[a] = (ahead - clearance_at(arrays, probe, 2.0 * wanted)) / (2.0 * step)
            probe[a] = points[i, a]
        for a in range(d):
            pull[i - 1, a] += 0.5 * weight * span * short * away[a]
            for b in range(d):
                diagonal[i - 1, a, b] += 0.5 * weight * span * away[a] * away[b]


@kernel
def take_clear_step(arrays, points, step, trial, wanted, weight, longest):
    """Move inner points of a free chain along ``step`` (k - 2, d) while that is worth it.

    points : (k, d), overwritten;  trial : (k, d), workspace
    The chain stays free, at most ``longest`` metres long, and its length plus ``weight / 2`` times
    the deficit falls. Returns whether anything moved.
    """
    k = points.shape[0]
    worth = chain_length(points) + 0.5 * weight * clearance_deficit(arrays, points, wanted)
    t = 1.0
    while t >= SHORTEST_STEP:
        trial[:] = points
        trial[1 : k - 1] += t * step
        length = chain_length(trial)
        if (
            length <= longest
            and length + 0.5 * weight * clearance_deficit(arrays, trial, wanted)
            < worth * (1.0 - TAKEN)
            and first_blocked_leg(arrays, trial) < 0
        ):
            points[:] = trial
            return True
        t *= 0.5
    return False
