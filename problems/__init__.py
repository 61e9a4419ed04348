"""What is solved: losses, penalties, data sets and worlds."""

from problems.linear import (
    CustomLoss,
    Huber,
    LeastSquares,
    LinearModel,
    Logistic,
    Multinomial,
    Poisson,
    SquaredHinge,
)
from problems.penalties import L1, Bounds, ElasticNet, GroupL2, NonNegative, Penalty

__all__ = [
    "L1",
    "Bounds",
    "CustomLoss",
    "ElasticNet",
    "GroupL2",
    "Huber",
    "LeastSquares",
    "LinearModel",
    "Logistic",
    "Multinomial",
    "NonNegative",
    "Penalty",
    "Poisson",
    "SquaredHinge",
]
