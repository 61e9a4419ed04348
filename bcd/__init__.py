"""Greedy block coordinate descent: partitions, selection rules, updates, estimators."""

from bcd.complexity import ActiveSetComplexity, active_set_complexity
from bcd.engine import minimize
from bcd.estimators.group import GroupLasso, SparseGroupLasso
from bcd.estimators.huber import HuberRegressor
from bcd.estimators.label_propagation import LabelPropagation
from bcd.estimators.lasso import ElasticNet, Lasso
from bcd.estimators.logistic import LogisticRegression
from bcd.estimators.logistic_path import LogisticPath, LogisticRegressionCV, logistic_path
from bcd.estimators.multitask import MultiTaskElasticNet, MultiTaskLasso
from bcd.estimators.poisson import PoissonRegressor
from bcd.estimators.svm import LinearSVC
from bcd.graph_system import SystemSolution, SystemStatus, solve_graph_system
from bcd.group_path import group_path
from bcd.label_propagation import Propagation, propagate_labels, solve_labels
from bcd.result import Result, Status

__all__ = [
    "ActiveSetComplexity",
    "ElasticNet",
    "GroupLasso",
    "HuberRegressor",
    "LabelPropagation",
    "Lasso",
    "LinearSVC",
    "LogisticPath",
    "LogisticRegression",
    "LogisticRegressionCV",
    "MultiTaskElasticNet",
    "MultiTaskLasso",
    "PoissonRegressor",
    "Propagation",
    "Result",
    "SparseGroupLasso",
    "Status",
    "SystemSolution",
    "SystemStatus",
    "active_set_complexity",
    "group_path",
    "logistic_path",
    "minimize",
    "propagate_labels",
    "solve_graph_system",
    "solve_labels",
]
