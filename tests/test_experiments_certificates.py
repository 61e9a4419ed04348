"""The plain-numpy certificates against scikit-learn's own gap and against known optima."""

import numpy as np
import pytest
from sklearn.linear_model import ElasticNet

from experiments.certificates import lasso_gap


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("centered", [True, False])
def test_gap_vanishes_at_the_optimum_and_bounds_the_suboptimality_elsewhere(l1_ratio, centered):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 15)) + 1.0
    y = X[:, 0] - X[:, 1] + rng.standard_normal(40) + 3.0
    model = ElasticNet(
        alpha=0.1, l1_ratio=l1_ratio, fit_intercept=centered, tol=1e-14, max_iter=100_000
    ).fit(X, y)
    best, gap = lasso_gap(X, y, model.coef_, 0.1, l1_ratio, centered)
    assert abs(gap) < 1e-12 * (y @ y)
    residual = y - model.predict(X)
    penalty = l1_ratio * abs(model.coef_).sum() + 0.5 * (1 - l1_ratio) * model.coef_ @ model.coef_
    assert best == pytest.approx(residual @ residual / 80 + 0.1 * penalty, rel=1e-12)
    for _ in range(20):
        other = model.coef_ + 0.1 * rng.standard_normal(15)
        objective, gap = lasso_gap(X, y, other, 0.1, l1_ratio, centered)
        assert gap >= objective - best > 0
