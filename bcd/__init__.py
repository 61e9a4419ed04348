"""Greedy block coordinate descent: partitions, selection rules, updates, estimators."""

from bcd.complexity import ActiveSetComplexity, active_set_complexity
from bcd.engine import minimize
from bcd.estimators.graph_smoother import GraphSmoother
from bcd.estimators.group import GroupLasso, SparseGroupLasso
from bcd.estimators.group_logistic import GroupLogisticRegression
from bcd.estimators.huber import HuberRegressor
from bcd.estimators.label_propagation import LabelPropagation
from bcd.estimators.lasso import ElasticNet, Lasso
from bcd.estimators.lasso_cv import ElasticNetCV, LassoCV
from bcd.estimators.logistic import LogisticRegression
from bcd.estimators.logistic_cv import LogisticRegressionCV
from bcd.estimators.logistic_path import LogisticPath, logistic_path
from bcd.estimators.multitask import MultiTaskElasticNet, MultiTaskLasso
from bcd.estimators.nonnegative import NonNegativeLeastSquares
from bcd.estimators.poisson import PoissonRegressor
from bcd.estimators.svc import SVC
from bcd.estimators.svm import LinearSVC
from bcd.graph_system import SystemSolution, SystemStatus, solve_graph_system
from bcd.group_path import group_path
from bcd.label_propagation import Propagation, propagate_labels, solve_labels
from bcd.pairwise_newton import solve_pairwise
from bcd.path import enet_path, lambda_max, lasso_path
from bcd.plotting import ConvergenceDisplay, PathDisplay, plot_convergence, plot_path
from bcd.result import Result, Status

__all__ = [
    "SVC",
    "ActiveSetComplexity",
    "ConvergenceDisplay",
    "ElasticNet",
    "ElasticNetCV",
    "GraphSmoother",
    "GroupLasso",
    "GroupLogisticRegression",
    "HuberRegressor",
    "LabelPropagation",
    "Lasso",
    "LassoCV",
    "LinearSVC",
    "LogisticPath",
    "LogisticRegression",
    "LogisticRegressionCV",
    "MultiTaskElasticNet",
    "MultiTaskLasso",
    "NonNegativeLeastSquares",
    "PathDisplay",
    "PoissonRegressor",
    "Propagation",
    "Result",
    "SparseGroupLasso",
    "Status",
    "SystemSolution",
    "SystemStatus",
    "active_set_complexity",
    "enet_path",
    "group_path",
    "lambda_max",
    "lasso_path",
    "logistic_path",
    "minimize",
    "plot_convergence",
    "plot_path",
    "propagate_labels",
    "solve_graph_system",
    "solve_labels",
    "solve_pairwise",
]
