"""Greedy block coordinate descent: partitions, selection rules, updates, estimators."""

from bcd.engine import minimize
from bcd.estimators.lasso import ElasticNet, Lasso
from bcd.result import Result, Status

__all__ = ["ElasticNet", "Lasso", "Result", "Status", "minimize"]
