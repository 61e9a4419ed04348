"""Sweeps over a sparse working block from afar, before models of the losses pay.

On tall data of few values (indicators, counts) a sweep of coordinate Newton steps on the losses
themselves costs little more than a pass, since whole columns share their exponentials.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bcd._glm_sweep_kernels import sweep_logistic
from bcd.design import Design
from bcd.glm_block import Block, SparseBlock, block_scores
from bcd.glm_newton import Scores
from bcd.separable import Separable
from problems.losses import LOGISTIC

Vector = NDArray[np.float64]
FAR = 0.05  # gap over losses from which a sparse block is swept
EXPLORING = 2  # sweeps
TALL = 20.0  # samples a feature
SAMPLE = 1000  # entries that are looked at
NEW_VALUES = 0.1  # share of them that may differ from the one before
LARGEST = 500.0  # of the exponents


def explores(scores: Scores, design: Design, block: Block) -> bool:
    """Tell whether sweeps over a block lead faster from afar than models of the losses.

    On tall sparse data of few values (indicators, counts) a sweep costs few exponentials, and a
    Gram matrix, much dearer, serves for one short step. On wide data it matters more which features
    enter, which points nearer to the block's minimum tell better.
    """
    if scores.tag != LOGISTIC or not isinstance(block, SparseBlock):
        return False
    first = block.value[: min(SAMPLE, int(block.ptr[-1]))]
    new_values = np.count_nonzero(first[1:] != first[:-1])
    tall = design.shape[0] >= TALL * design.shape[1]
    return tall and bool(new_values <= NEW_VALUES * len(first))


def explore(
    scores: Scores, design: Design, block: Block, x: Vector, shift: float, penalty: Separable
) -> tuple[bool, Vector, float]:
    """Sweep over a sparse block; return whether that helped, and where it led."""
    assert isinstance(block, SparseBlock)
    odds, state = np.exp(np.minimum(-scores.y * scores.z, LARGEST)), np.empty((len(scores.y), 2))
    new = x.copy()
    data = block.ptr, block.index, block.value, scores.y, scores.weight, odds, state
    moved = sweep_logistic(*data, new, *penalty, scores.intercept, EXPLORING)
    if scores.intercept:  # the shift is that of centred columns
        moved += float(design.means[block.columns] @ (new - x))
    z = block_scores(design, block, new, scores.intercept) + (shift + moved)
    if not scores.try_out(z) + penalty.value(new) < scores.value + penalty.value(x):
        return False, x, shift
    scores.accept()
    if scores.intercept:
        moved += scores.center()
    return True, new, shift + moved
