"""Greedy block coordinate descent: partitions, selection rules, updates, estimators."""

from bcd.complexity import ActiveSetComplexity, active_set_complexity
from bcd.engine import minimize
from bcd.estimators.group import GroupLasso, SparseGroupLasso
from bcd.estimators.lasso import ElasticNet, Lasso
from bcd.estimators.multitask import MultiTaskElasticNet, MultiTaskLasso
from bcd.estimators.logistic import LogisticRegression
from bcd.result import Result, Status

__all__ = [
    "ActiveSetComplexity",
    "ElasticNet",
    "GroupLasso",
    "Lasso",
    "LogisticRegression",
    "MultiTaskElasticNet",
    "MultiTaskLasso",
    "Result",
    "SparseGroupLasso",
    "Status",
    "active_set_complexity",
    "minimize",
]
