"""scikit-learn's own checks of estimators, all of them, none expected to fail."""

import warnings

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from bcd import (
    SVC,
    ElasticNet,
    ElasticNetCV,
    GroupLasso,
    GroupLogisticRegression,
    HuberRegressor,
    Lasso,
    LassoCV,
    LinearSVC,
    LogisticRegression,
    LogisticRegressionCV,
    MultiTaskElasticNet,
    MultiTaskLasso,
    NonNegativeLeastSquares,
    PoissonRegressor,
    SparseGroupLasso,
)

FEW_ROWS = 1e-6  # megabytes of cache: two rows of the kernel matrix
ESTIMATORS = [
    Lasso(),
    ElasticNet(),
    LassoCV(cv=3, alphas=10),
    ElasticNetCV(cv=3, alphas=10),
    NonNegativeLeastSquares(),
    MultiTaskLasso(),
    MultiTaskElasticNet(),
    GroupLasso(),
    SparseGroupLasso(),
    GroupLogisticRegression(),
    GroupLogisticRegression(l1_ratio=0.5),
    LogisticRegression(),
    LogisticRegression(l1_ratio=0.5),
    LogisticRegressionCV(Cs=2, cv=3, tol=1e-10),
    PoissonRegressor(),
    PoissonRegressor(l1_ratio=1.0),
    HuberRegressor(),
    LinearSVC(),
    LinearSVC(penalty="l1"),
    LinearSVC(loss="hinge", tol=1e-12),
    SVC(),
    SVC(kernel="linear", tol=1e-8, cache_size=FEW_ROWS),
]


@parametrize_with_checks(ESTIMATORS)
def test_passes_scikit_learns_estimator_checks(estimator, check):
    name = check.func.__name__
    if "array_api" in name:
        pytest.skip("array API dispatch is off unless the environment asks for it")
    unpenalised = type(estimator) is NonNegativeLeastSquares
    if unpenalised and name == "check_sample_weight_equivalence_on_sparse_data":
        pytest.skip("twice as many features as samples: the solution is not unique")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)
