"""What the rules' equations need before the first iteration: blocks, L_i, L_b, D, factors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bcd import _state
from bcd._block_kernels import factorize
from bcd._motion_kernels import FULL_PASS_RATIO
from bcd._state import Rules, State, Work
from bcd.partition import (
    Blocks,
    averaged_partition,
    order_partition,
    random_partition,
    sorted_partition,
    user_partition,
)
from graphs.heap import make_heap
from problems._hessian_kernels import make_hessian_work
from problems._linear_kernels import DENSE, QUADRATIC, SPARSE, SPARSE_QUADRATIC, ProblemArrays
from problems.losses import SQUARES

IDLE = 16  # iterations, at least, that lower nothing before a run of exact steps has stalled
FEW_PASSES = 25
LOOK_AFTER = 5e7  # about 50 ms
FLOOR = 1e-12  # L_i of an empty column, relative to the largest


def floored(lipschitz: NDArray) -> NDArray[np.float64]:
    """Lift zeros, so that an empty column divides nothing by zero."""
    largest = lipschitz.max() if lipschitz.max() > 0.0 else 1.0
    return np.maximum(lipschitz, FLOOR * largest).astype(np.float64)


def make_blocks(problem, partition, block_size: int, lipschitz, rng) -> Blocks:
    """Divide the coordinates by the named rule, or check the user's blocks."""
    n = problem.n_coordinates
    if not isinstance(partition, str):
        return user_partition(partition, n)
    if partition == "groups":
        return user_partition(problem.penalty.groups, n, "groups")
    if partition == "order":
        return order_partition(n, block_size)
    if partition == "sorted":
        return sorted_partition(lipschitz, block_size)
    if partition == "averaged":
        return averaged_partition(lipschitz, block_size)
    if partition == "random":
        return random_partition(n, block_size, rng)
    return problem.blocks(partition)


def fixed_bounds(problem, blocks: Blocks, *, factors: bool):
    """L_b of each block, row sums of |H_b| for each coordinate, and Cholesky factors of H_b."""
    n_blocks = len(blocks)
    lipschitz, diagonal = np.empty(n_blocks), np.empty(problem.n_coordinates)
    sizes = np.array([len(block) for block in blocks], dtype=np.int64)
    factor_ptr = np.concatenate([[0], np.cumsum(sizes * sizes)])
    factor = np.zeros(factor_ptr[-1] if factors else 0)
    l2 = problem.penalty.l2
    for b, H in enumerate(problem.bound_blocks(blocks)):
        lipschitz[b] = np.linalg.eigvalsh(H)[-1] if len(H) > 1 else H[0, 0]
        diagonal[blocks[b]] = np.abs(H).sum(axis=1)
        if factors:
            out = np.zeros_like(H)
            factorize(H + l2 * np.eye(len(H)), len(H), out)
            factor[factor_ptr[b] : factor_ptr[b + 1]] = out.ravel()
    return lipschitz, diagonal, factor_ptr, factor


def forest_bounds(problem, blocks: Blocks):
    """Return upper bounds on L_b and D of large sparse blocks: row sums of |Q_bb|."""
    lipschitz, diagonal = np.empty(len(blocks)), np.empty(problem.n_coordinates)
    for b, block in enumerate(blocks):
        diagonal[block] = np.asarray(abs(problem.Q[block][:, block]).sum(axis=1)).ravel()
        lipschitz[b] = diagonal[block].max()
    return lipschitz, diagonal


def make_rules(
    problem,
    arrays: ProblemArrays,
    selection: str,
    update: str,
    blocks: Blocks | None,
    block_size: int,
    tags: tuple[int, int],
    lipschitz: NDArray[np.float64] | None,
    *,
    heap: bool | None,
    diagonal: str | None,
) -> Rules:
    """Fill the constants that the chosen rules need, and leave the others empty."""
    n = problem.n_coordinates
    selection_tag, update_tag = tags
    variable = blocks is None
    greedy = selection_tag > _state.LIPSCHITZ
    bounded = lipschitz is not None
    L = floored(lipschitz) if lipschitz is not None else np.ones(n)
    factor_ptr, factor = np.zeros(1, np.int64), np.empty(0)
    if blocks is None:
        by_rows = diagonal == "row-sums" or (diagonal is None and selection == "gsl")
        D = min(block_size, n) * L
        if by_rows and selection in ("gsl", "gsd", "gsq"):
            D = floored(problem.row_sums())
        block_lipschitz = np.empty(0)
        pointer, index = np.zeros(1, np.int64), np.empty(0, np.int32)
        owner = np.zeros(0, np.int32)
        weight = L
    else:
        sizes = np.array([len(block) for block in blocks], dtype=np.int64)
        pointer = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        index = np.concatenate(blocks).astype(np.int32)
        owner = np.empty(n, np.int32)
        owner[index] = np.repeat(np.arange(len(blocks), dtype=np.int32), sizes)
        if bounded:
            wants_factor = selection == "gsq" or update == "matrix"
            if update == "message-passing":
                block_lipschitz, D = forest_bounds(problem, blocks)
            else:
                block_lipschitz, D, factor_ptr, factor = fixed_bounds(
                    problem, blocks, factors=wants_factor
                )
            block_lipschitz, D = floored(block_lipschitz), floored(D)
            if diagonal == "lipschitz":
                D = sizes[owner] * L
        else:
            block_lipschitz, D = np.ones(len(blocks)), L
        weight = block_lipschitz
    sparse = arrays.kind not in (DENSE, QUADRATIC)
    if heap is None:
        heap = sparse and touches_little(arrays, block_size)
    heap = bool(heap) and greedy and sparse and selection_tag <= _state.GSQ
    if variable and selection_tag == _state.GSQ:
        heap = False  # hard thresholding looks at everything
    return Rules(
        selection=selection_tag,
        update=update_tag,
        variable=variable,
        block_size=int(block_size),
        full=bool(greedy or arrays.kind >= QUADRATIC),
        smooth=problem.penalty.is_smooth,
        heap=heap,
        patience=patience(problem, arrays, selection_tag, update_tag, blocks, block_size),
        curvature=float(getattr(problem, "curvature_bound", 1.0)),
        block_ptr=pointer,
        block_index=index,
        block_of=owner,
        block_lipschitz=block_lipschitz,
        lipschitz=L,
        diagonal=D,
        cumulative=np.cumsum(weight),
        factor_ptr=factor_ptr.astype(np.int64),
        factor=factor,
    )


def patience(
    problem, arrays: ProblemArrays, selection: int, update: int, blocks: Blocks | None, size: int
) -> int:
    """Return how many iterations that lower nothing end a run: a sweep over all blocks, 0: none do.

    Exact steps on the greediest blocks of a quadratic reach the last bits, and then go on turning
    them over. Other steps that lower nothing may yet be slow rather than at an end.
    """
    exact = update in (_state.EXACT, _state.PROX_NEWTON, _state.TWO_METRIC)
    quadratic = arrays.kind >= QUADRATIC or problem.loss == SQUARES
    if not (exact and quadratic and selection > _state.LIPSCHITZ):
        return 0
    return max(IDLE, -(-problem.n_coordinates // size) if blocks is None else len(blocks))


def iterations_between_looks(arrays: ProblemArrays, rules: Rules) -> int:
    """Return after how many iterations Python looks up: about every LOOK_AFTER multiply-adds."""
    size = rules.block_size if rules.variable else int(np.diff(rules.block_ptr).max())
    entries = arrays.columns.size + len(arrays.col_value)
    work = size**3 / 3 if rules.update != _state.MESSAGE_PASSING else 0.0
    work += len(arrays.lower) if not rules.heap else size
    work += entries if rules.full and not rules.heap else size * entries / len(arrays.lower)
    if arrays.kind == DENSE and rules.update not in (_state.GRADIENT, _state.PROX_GRADIENT):
        work += size**2 * len(arrays.target) / 2
    return int(np.clip(LOOK_AFTER / work, 1, 100_000))


def touches_little(arrays: ProblemArrays, block_size: int) -> bool:
    """Whether an update changes so few gradients that keeping them in a heap pays.

    A gradient in the heap costs about eight of a straight pass (measured in ``experiments``).
    """
    if arrays.kind == SPARSE_QUADRATIC:
        per_column = len(arrays.col_value) / max(len(arrays.target), 1)
        return 8.0 * block_size * per_column < len(arrays.target)
    n_columns, n_rows = len(arrays.col_ptr) - 1, len(arrays.row_ptr) - 1
    entries = len(arrays.col_value)
    touched = block_size * (entries / max(n_columns, 1)) * (entries / max(n_rows, 1))
    return 8.0 * touched < n_columns


def make_state(arrays: ProblemArrays, x: NDArray[np.float64], n_estimates: int) -> State:
    """Books for x; they are filled by ``refresh``."""
    n_scores = 0 if arrays.kind >= QUADRATIC else len(arrays.target) * arrays.n_scores
    return State(
        x=x,
        z=np.zeros(n_scores),
        slope=np.zeros(n_scores),
        gradient=np.zeros(len(x)),
        totals=np.zeros(2),
        counters=np.zeros(6, dtype=np.int64),
        estimate=np.ones(n_estimates),
    )


def block_entries(arrays: ProblemArrays, rules: Rules, size: int) -> int:
    """Return the most entries of a sparse A that a block may hold."""
    if arrays.kind != SPARSE:
        return 0
    length = np.repeat(np.diff(arrays.col_ptr), arrays.n_scores)
    if rules.variable:
        return int(np.partition(length, len(length) - size)[len(length) - size :].sum())
    return int(np.add.reduceat(length[rules.block_index], rules.block_ptr[:-1]).max())


def with_lanes(
    problem, arrays: ProblemArrays, greedy: bool, block_size: int, max_iter: int
) -> ProblemArrays:
    """Add columns side by side where whole gradients of a sparse A will be computed often enough.

    Laying them out costs about as much as FEW_PASSES passes save.
    """
    if not greedy or arrays.kind != SPARSE or arrays.n_scores > 1 or max_iter < FEW_PASSES:
        return arrays
    entries, n_columns, n_rows = (
        len(arrays.col_value),
        len(arrays.col_ptr) - 1,
        len(arrays.row_ptr) - 1,
    )
    per_row, moved = entries / n_rows, min(n_rows, block_size * entries / n_columns)
    if FULL_PASS_RATIO * moved * per_row < entries:
        return arrays
    pointer, index, value, column = problem.lanes
    return arrays._replace(lane_ptr=pointer, lane_index=index, lane_value=value, lane_column=column)


def make_work(arrays: ProblemArrays, rules: Rules, n: int) -> Work:
    """Scratch arrays for the largest block."""
    if rules.variable:
        m = rules.block_size
    else:
        m = int(np.diff(rules.block_ptr).max())
    square = m if rules.update != _state.MESSAGE_PASSING else 1
    samples = 0 if arrays.kind >= QUADRATIC else len(arrays.target)
    pool = n if rules.variable else len(rules.block_ptr) - 1
    return Work(
        block=np.zeros(m, np.int32),
        g=np.zeros(m),
        step=np.zeros(m),
        vectors=np.zeros((6, m)),
        H=np.zeros((square, square)),
        factor=np.zeros((square, square)),
        sub=np.zeros((square, square)),
        free=np.zeros(m, np.int32),
        motion=np.zeros(samples * arrays.n_scores),
        rows=np.zeros(samples, np.int32),
        row_stamp=np.zeros(samples, np.int64),
        coordinates=np.zeros(n, np.int32),
        coordinate_stamp=np.zeros(n, np.int64),
        hessian=make_hessian_work(samples, n, block_entries(arrays, rules, m)),
        score=np.zeros(n if rules.variable else 0),
        key=np.zeros(m),
        slope_change=np.zeros(arrays.n_scores),
        pool=np.arange(pool, dtype=np.int32),
        heap=make_heap(pool if rules.heap else 1),
    )
