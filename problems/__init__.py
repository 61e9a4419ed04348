"""What is solved: losses, penalties, data sets and worlds."""

from problems.linear import LeastSquares, LinearModel
from problems.margins import (
    CustomLoss,
    Huber,
    Logistic,
    Multinomial,
    Poisson,
    SquaredHinge,
)
from problems.pairwise import PairwiseProblem
from problems.penalties import L1, Bounds, ElasticNet, GroupL2, NonNegative, Penalty
from problems.quadratic import GraphQuadratic, Quadratic

__all__ = [
    "L1",
    "Bounds",
    "CustomLoss",
    "ElasticNet",
    "GraphQuadratic",
    "GroupL2",
    "Huber",
    "LeastSquares",
    "LinearModel",
    "Logistic",
    "Multinomial",
    "NonNegative",
    "PairwiseProblem",
    "Penalty",
    "Poisson",
    "Quadratic",
    "SquaredHinge",
]
