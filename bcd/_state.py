"""The arrays that travel together through the engine's kernels, and the tags of the rules."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs.heap import IndexedHeap
from problems._hessian_kernels import HessianWork

# selections
CYCLIC, SHUFFLED, RANDOM, LIPSCHITZ, GS, GSL, GSD, GS_R, GS_Q, GSQ, MI = range(11)
RANDOM_FOREST, GREEDY_FOREST = 11, 12
# updates
GRADIENT, MATRIX, EXACT, PROX_GRADIENT, TWO_METRIC, BACKTRACKING, NEWTON, PROX_NEWTON = range(8)
MESSAGE_PASSING = 8
# totals
LOSS, PENALTY = 0, 1
# counters
N_ACTIVE, LAST_CHANGE, N_ROWS, N_COORDINATES, CURSOR, POSITION = range(6)
# outcomes of a chunk
RUNNING, OPTIMAL, STALLED, NOT_FINITE = range(4)


class Rules(NamedTuple):
    """What to do each iteration, and the constants that the rules' equations name."""

    selection: int
    update: int
    variable: bool  # blocks are chosen anew each iteration
    block_size: int  # of variable blocks
    full: bool  # the whole gradient is kept up to date
    smooth: bool  # no penalty but l2
    heap: bool  # scores live in the indexed heap
    patience: int  # iterations that lower nothing before Python looks; 0: as many as there are
    curvature: float  # bound on the loss's second derivative
    block_ptr: NDArray[np.int64]  # (n_blocks + 1,)
    block_index: NDArray[np.int32]  # (n_coordinates,)
    block_of: NDArray[np.int32]  # (n_coordinates,)
    block_lipschitz: NDArray[np.float64]  # (n_blocks,) L_b
    lipschitz: NDArray[np.float64]  # (n_coordinates,) L_i
    diagonal: NDArray[np.float64]  # (n_coordinates,) D_i with D_b >= H_b
    cumulative: NDArray[np.float64]  # running sum of L_b or L_i, for sampling
    factor_ptr: NDArray[np.int64]  # (n_blocks + 1,) where each block's Cholesky factor starts
    factor: NDArray[np.float64]  # rows of the factors of H_b, empty where not needed


class State(NamedTuple):
    """Where the iteration stands."""

    x: NDArray[np.float64]  # (n_coordinates,)
    z: NDArray[np.float64]  # (n_samples * k,) scores
    slope: NDArray[np.float64]  # (n_samples * k,)
    gradient: NDArray[np.float64]  # (n_coordinates,) of the smooth part
    totals: NDArray[np.float64]  # loss, penalty
    counters: NDArray[np.int64]
    estimate: NDArray[np.float64]  # backtracked L_b or L_i


class Work(NamedTuple):
    """Scratch arrays, allocated once a run; m is the largest block."""

    block: NDArray[np.int32]  # (m,)
    g: NDArray[np.float64]  # (m,) gradient on the block
    step: NDArray[np.float64]  # (m,)
    vectors: NDArray[np.float64]  # (6, m)
    H: NDArray[np.float64]  # (m, m)
    factor: NDArray[np.float64]  # (m, m)
    sub: NDArray[np.float64]  # (m, m)
    free: NDArray[np.int32]  # (m,) places in the block
    motion: NDArray[np.float64]  # (n_samples * k,) A_b step; zeros between iterations
    rows: NDArray[np.int32]  # (n_samples,) samples that the step moves
    row_stamp: NDArray[np.int64]  # (n_samples,)
    coordinates: NDArray[np.int32]  # (n_coordinates,) gradients that changed
    coordinate_stamp: NDArray[np.int64]
    hessian: HessianWork
    score: NDArray[np.float64]  # (n_coordinates,) of variable blocks' coordinates, else empty
    key: NDArray[np.float64]  # (m,) scores of the block being collected
    slope_change: NDArray[np.float64]  # (k,)
    pool: NDArray[np.int32]  # (n_coordinates,) a permutation, for sampling without replacement
    heap: IndexedHeap  # over blocks, or coordinates of variable blocks


LOWERED = 1e-15  # relative, of an objective that is lower by more than rounding
OUT_OF_HEAP = 1e-300  # score of a free coordinate whose gradient is exactly zero
