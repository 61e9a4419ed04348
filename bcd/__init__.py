"""Greedy block coordinate descent: partitions, selection rules, updates, estimators."""

from bcd.complexity import ActiveSetComplexity, active_set_complexity
from bcd.engine import minimize
from bcd.estimators.lasso import ElasticNet, Lasso
from bcd.result import Result, Status

__all__ = [
    "ActiveSetComplexity",
    "ElasticNet",
    "Lasso",
    "Result",
    "Status",
    "active_set_complexity",
    "minimize",
]
