"""Settings that have no effect on most runs are refused all the same when they mean nothing."""

import numpy as np
import pytest

from bcd import SVC, ElasticNet, Lasso, LassoCV, LogisticRegression, LogisticRegressionCV

X = np.random.default_rng(0).normal(size=(30, 4))
Y = X[:, 0] + 0.1
BAD = [
    ("random_state", "x", ValueError, "random_state must be None, an integer .* got 'x'"),
    ("random_state", -1, ValueError, "random_state must be None, an integer .* got -1"),
    ("precompute", "bad", ValueError, "precompute must be True, False, 'auto' or .* got 'bad'"),
    ("verbose", "a", TypeError, "verbose must be True, False or an integer, got 'a'"),
    ("n_jobs", "a", ValueError, "n_jobs must be None or an integer other than 0, got 'a'"),
    ("n_jobs", 0, ValueError, "n_jobs must be None or an integer other than 0, got 0"),
]


@pytest.mark.parametrize(
    "kind", [ElasticNet, Lasso, LassoCV, LogisticRegression, LogisticRegressionCV, SVC]
)
@pytest.mark.parametrize(("name", "value", "error", "message"), BAD)
def test_a_setting_that_means_nothing_is_refused_by_name(kind, name, value, error, message):
    if name not in kind().get_params():
        return
    targets = Y > 0 if kind in (LogisticRegression, LogisticRegressionCV, SVC) else Y
    with pytest.raises(error, match=message):
        kind(**{name: value}).fit(X, targets)


def test_what_scikit_learn_takes_is_taken():
    for settings in (
        {"precompute": X.T @ X},
        {"precompute": "auto"},
        {"random_state": np.random.RandomState(0)},
        {"random_state": np.random.default_rng(0)},
        {"random_state": np.int64(3)},
    ):
        np.testing.assert_allclose(
            Lasso(alpha=0.1, **settings).fit(X, Y).coef_, Lasso(alpha=0.1).fit(X, Y).coef_
        )
