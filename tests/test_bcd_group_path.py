"""group_path against single fits and plain-numpy gaps."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from bcd import GroupLasso, SparseGroupLasso, group_path
from experiments.certificates import group_gap


def problem():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 60))
    y = X[:, :3].sum(axis=1) + rng.standard_normal(40)
    return X, y


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_each_point_is_certified_and_is_the_fit_at_its_alpha(l1_ratio):
    X, y = problem()
    groups = np.arange(60).reshape(20, 3)
    alphas, coefs, gaps = group_path(
        X, y, groups=3, l1_ratio=l1_ratio, n_alphas=8, eps=0.01, tol=1e-10
    )
    assert not coefs[:, 0].any() and coefs[:, 1].any()
    assert (np.diff(alphas) < 0).all() and alphas[-1] == pytest.approx(0.01 * alphas[0])
    for alpha, coef, gap in zip(alphas, coefs.T, gaps, strict=True):
        found = group_gap(X, y, coef, alpha, l1_ratio, groups, np.full(20, 3**0.5))[1]
        assert max(found, gap) <= 1.01e-10 * (y @ y) / 40
    model = SparseGroupLasso(
        alphas[5], l1_ratio=l1_ratio, groups=3, fit_intercept=False, tol=1e-12
    ).fit(X, y)
    np.testing.assert_allclose(coefs[:, 5], model.coef_, atol=1e-4)


def test_a_grid_of_the_caller_is_sorted_and_followed():
    X, y = problem()
    alphas, coefs, _ = group_path(X, y, groups=5, alphas=[0.01, 0.1], tol=1e-12)
    assert alphas.tolist() == [0.1, 0.01]
    model = GroupLasso(0.01, groups=5, fit_intercept=False, tol=1e-12).fit(X, y)
    np.testing.assert_allclose(coefs[:, 1], model.coef_, atol=1e-5)


def test_bad_input_is_refused_by_name():
    X, y = problem()
    for arguments, message in (
        ({"alphas": [0.1, -1.0]}, r"alphas\[1\] must be at least 0, got -1.0"),
        ({"eps": 0.0}, "eps must be above 0 and at most 1, got 0.0"),
        ({"n_alphas": 0}, "n_alphas must be an integer of at least 1, got 0"),
        ({"groups": 7}, "groups must be a size that divides n_features=60, got 7"),
    ):
        with pytest.raises(ValueError, match=message):
            group_path(X, y, **arguments)
    with pytest.warns(ConvergenceWarning, match="not converged at 1 of 1 alphas: .* tolerance"):
        group_path(X, y, alphas=[1e-3], tol=1e-14, max_iter=1)
