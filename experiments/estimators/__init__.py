"""``python -m experiments estimators``: which estimator has which feature, each cell tried."""

from experiments.estimators.table import main

__all__ = ["main"]
