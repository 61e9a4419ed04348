"""The arrays of a roadmap as kernels read them, with buckets to find what lies near a change."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs import CSRGraph
from graphs._jit import inner_kernel, lean_kernel

BUCKET_AXES = 3  # buckets divide the first three axes at most
_VERTICES_A_BUCKET = 4.0


class Roads(NamedTuple):
    """A roadmap in the hidden spatial order of its vertices; ``n`` vertices, ``m`` slots."""

    points: NDArray[np.float64]  # (n, d), metres
    indptr: NDArray[np.int64]  # (n + 1,)
    indices: NDArray[np.int32]  # (m,)
    length: NDArray[np.float64]  # (m,), metres
    reverse: NDArray[np.int32]  # (m,), slot of the opposite edge
    longest: float  # the longest edge, metres
    bucket_ptr: NDArray[np.int64]  # (n_buckets + 1,)
    bucket_items: NDArray[np.int32]  # (n,), vertices bucket by bucket
    bucket_shape: NDArray[np.int64]  # (3,), buckets along each axis
    bucket_low: NDArray[np.float64]  # (3,), lowest corner, metres
    bucket_side: NDArray[np.float64]  # (3,), side of a bucket, metres


def make_roads(points: NDArray[np.float64], graph: CSRGraph) -> Roads:
    """Build the buckets around ``points`` (n, d) and their ``graph``."""
    n, d = points.shape
    axes = min(d, BUCKET_AXES)
    low, extent = np.zeros(BUCKET_AXES), np.zeros(BUCKET_AXES)
    if n:
        low[:axes] = points[:, :axes].min(axis=0)
        extent[:axes] = points[:, :axes].max(axis=0) - low[:axes]
    shape = np.ones(BUCKET_AXES, np.int64)
    wide = np.flatnonzero(extent > 0.0)
    if len(wide):
        count = max(n / _VERTICES_A_BUCKET, 1.0)
        side = (extent[wide].prod() / count) ** (1.0 / len(wide))
        shape[wide] = np.clip(np.ceil(extent[wide] / side), 1, max(count, 1.0)).astype(np.int64)
    side = np.where(extent > 0.0, extent / shape, 1.0)
    cell = np.zeros((n, BUCKET_AXES), np.int64)
    cell[:, :axes] = np.minimum((points[:, :axes] - low[:axes]) / side[:axes], shape[:axes] - 1)
    bucket = (cell[:, 0] * shape[1] + cell[:, 1]) * shape[2] + cell[:, 2]
    bucket_ptr = np.zeros(int(shape.prod()) + 1, np.int64)
    np.cumsum(np.bincount(bucket, minlength=len(bucket_ptr) - 1), out=bucket_ptr[1:])
    assert graph.reverse is not None
    return Roads(
        points=points,
        indptr=graph.indptr,
        indices=graph.indices,
        length=graph.weights,
        reverse=graph.reverse,
        longest=float(graph.weights.max(initial=0.0)),
        bucket_ptr=bucket_ptr,
        bucket_items=np.argsort(bucket, kind="stable").astype(np.int32),
        bucket_shape=shape,
        bucket_low=low,
        bucket_side=side,
    )


@inner_kernel
def _bucket(roads, value, k):
    """Return the bucket along axis ``k`` that holds the coordinate ``value``, or the nearest."""
    place = (value - roads.bucket_low[k]) / roads.bucket_side[k]
    # clipped as a float: a far corner would overflow an integer
    return int(min(max(place, 0.0), float(roads.bucket_shape[k] - 1)))


@lean_kernel
def collect_in_box(roads, low, high, reach, out):
    """Find the vertices at most ``reach`` outside the box from ``low`` to ``high`` (d,).

    out : (n,) int32, they are written to it. Returns their number.
    """
    d = roads.points.shape[1]
    hair = reach * (1.0 + 1e-9)
    first_i, last_i = _bucket(roads, low[0] - hair, 0), _bucket(roads, high[0] + hair, 0)
    first_j, last_j, first_k, last_k = 0, 0, 0, 0
    if d > 1:
        first_j, last_j = _bucket(roads, low[1] - hair, 1), _bucket(roads, high[1] + hair, 1)
    if d > 2:
        first_k, last_k = _bucket(roads, low[2] - hair, 2), _bucket(roads, high[2] + hair, 2)
    count = 0
    for i in range(first_i, last_i + 1):
        for j in range(first_j, last_j + 1):
            row = (i * roads.bucket_shape[1] + j) * roads.bucket_shape[2]
            for slot in range(roads.bucket_ptr[row + first_k], roads.bucket_ptr[row + last_k + 1]):
                v = roads.bucket_items[slot]
                inside = True
                for k in range(d):
                    if not (low[k] - reach <= roads.points[v, k] <= high[k] + reach):
                        inside = False
                        break
                if inside:
                    out[count] = v
                    count += 1
    return count


@inner_kernel
def distance(points, v, p):
    """Euclidean distance, metres, from vertex ``v`` of ``points`` (n, d) to ``p`` (d,)."""
    squared = 0.0
    for k in range(p.shape[0]):
        squared += (points[v, k] - p[k]) * (points[v, k] - p[k])
    return np.sqrt(squared)
