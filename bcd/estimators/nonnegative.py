"""Least squares over nonnegative coefficients, in scikit-learn's terms."""

from __future__ import annotations

from bcd.estimators.lasso import ElasticNet


class NonNegativeLeastSquares(ElasticNet):
    """Ordinary least squares with ``w >= 0``.

    Minimises ``1 / (2 n_samples) ||y - X w - c||^2`` over ``w >= 0``, as scikit-learn's
    ``LinearRegression(positive=True)`` and scipy's ``nnls`` do. The support and its signs are found
    by an active-set method that ends after finitely many changes, dense X or sparse.

    Parameters
    ----------
    fit_intercept : bool, default=True
        Whether to fit ``c``, which has no sign.
    max_iter : int, default=1000
        Block updates at most.
    copy_X : bool, default=True
        Accepted for scikit-learn's sake and without effect: X is never changed.
    tol : float, default=1e-9
        See :class:`bcd.ElasticNet`. Correlations of features with the residual below 1e-12 of their
        lengths' product count as zero in the duality gap.
    warm_start : bool, default=False
        Whether to start from the last solution.
    bounds, verbose, callback
        See :class:`bcd.ElasticNet`.

    Attributes
    ----------
    coef_, intercept_, dual_gap_, n_iter_, n_features_in_, feature_names_in_
        See :class:`bcd.ElasticNet`.

    References
    ----------
    .. [1] Lawson, Hanson (1974), "Solving Least Squares Problems", chapter 23.

    Examples
    --------
    >>> from bcd import NonNegativeLeastSquares
    >>> model = NonNegativeLeastSquares(fit_intercept=False)
    >>> model.fit([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [2.0, -1.0, 1.0]).coef_.round(2)
    array([1.5, 0. ])
    """

    def __init__(
        self,
        *,
        fit_intercept=True,
        max_iter=1000,
        copy_X=True,
        tol=1e-9,
        warm_start=False,
        bounds=None,
        verbose=False,
        callback=None,
    ):
        super().__init__(
            alpha=0.0,
            l1_ratio=1.0,
            fit_intercept=fit_intercept,
            max_iter=max_iter,
            copy_X=copy_X,
            tol=tol,
            warm_start=warm_start,
            positive=True,
            bounds=bounds,
            verbose=verbose,
            callback=callback,
        )
