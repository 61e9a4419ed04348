"""Certificates computed in plain numpy, apart from the solvers that they judge."""

import numpy as np


def lasso_gap(X, y, coef, alpha, l1_ratio=1.0, centered=False, positive=False):
    """Objective and duality gap of scikit-learn's elastic net objective, both in its units.

    ``1 / (2 n) ||y - X w - c||^2 + alpha l1_ratio ||w||_1 + alpha (1 - l1_ratio) / 2 ||w||^2``.
    The dual point is the residual, scaled into the feasible set or, for ``l1_ratio`` below one, as
    it is, whichever bounds better; with an intercept the residual is centred first, which makes it
    orthogonal to the constant column.

    Parameters
    ----------
    X : {ndarray, sparse array} of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
    coef : ndarray of shape (n_features,)
    alpha, l1_ratio : float
        As in scikit-learn; ``alpha * l1_ratio`` must be above zero.
    centered : bool, default=False
        Whether an intercept was fitted: the optimal one is then eliminated by centring.
    positive : bool, default=False
        Whether ``coef >= 0`` is required; the gap is infinite where that is violated.

    Returns
    -------
    objective, gap : float
    """
    n_samples = len(y)
    l1, l2 = n_samples * alpha * l1_ratio, n_samples * alpha * (1.0 - l1_ratio)
    target = y - y.mean() if centered else y
    fitted = X @ coef
    residual = target - (fitted - fitted.mean() if centered else fitted)
    correlation = X.T @ residual - l2 * coef
    if positive and (coef < 0.0).any():
        return np.inf, np.inf
    pull = correlation.max() if positive else np.abs(correlation).max()
    scale = min(1.0, l1 / max(pull, np.finfo(float).tiny))
    primal = 0.5 * residual @ residual + l1 * np.abs(coef).sum() + 0.5 * l2 * coef @ coef
    dual = scale * (residual @ target) - 0.5 * scale**2 * (residual @ residual + l2 * coef @ coef)
    gap = primal - dual
    if l2 > 0.0:  # the elastic net's conjugate is finite, so the residual needs no scaling
        raw = X.T @ residual
        excess = np.maximum((raw if positive else np.abs(raw)) - l1, 0.0)
        fenchel = l1 * np.abs(coef) + 0.5 * l2 * coef**2 + excess**2 / (2.0 * l2)
        gap = min(gap, fenchel.sum() - coef @ (X.T @ residual))
    return primal / n_samples, gap / n_samples


def group_gap(X, y, coef, alpha, l1_ratio, groups, factors, centered=False, positive=False):
    """Objective and duality gap of the (sparse) group Lasso, both in units of the mean loss.

    ``1 / (2 n) ||y - X w - c||^2 + alpha l1_ratio ||w||_1
    + alpha (1 - l1_ratio) sum_g factors_g ||w_g||``. The dual point is the residual, scaled by the
    multiple that bounds best among those a bisection proves feasible.

    Parameters
    ----------
    X : {ndarray, sparse array} of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
    coef : ndarray of shape (n_features,)
    alpha, l1_ratio : float
    groups : list of lists of int
    factors : ndarray of shape (n_groups,)
    centered, positive : bool

    Returns
    -------
    objective, gap : float
    """
    n_samples = len(y)
    target = y - y.mean() if centered else y
    fitted = X @ coef
    residual = target - (fitted - fitted.mean() if centered else fitted)
    correlation = X.T @ residual
    l1 = n_samples * alpha * l1_ratio
    norms = np.array([np.linalg.norm(coef[group]) for group in groups])
    weights = n_samples * alpha * (1.0 - l1_ratio) * np.asarray(factors)
    squares = residual @ residual
    objective = 0.5 * squares + l1 * np.abs(coef).sum() + weights @ norms

    def feasible(scale):
        size = scale * correlation if positive else np.abs(scale * correlation)
        soft = np.maximum(size - l1, 0.0)
        excess = np.array([np.linalg.norm(soft[group]) for group in groups])
        return (excess <= weights).all()

    low, high = 0.0, max((residual @ target) / max(squares, np.finfo(float).tiny), 0.0)
    if feasible(high):
        low = high
    else:
        for _ in range(60):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if feasible(middle) else (low, middle)
    gap = objective - low * (residual @ target) + 0.5 * low**2 * squares
    return objective / n_samples, gap / n_samples


def multitask_gap(X, Y, W, alpha, l1_ratio=1.0, centered=False):
    """Objective and duality gap of scikit-learn's multi-task elastic net, in its units.

    ``1 / (2 n) ||Y - X W - c||^2 + alpha l1_ratio sum_j ||W_j||
    + alpha (1 - l1_ratio) / 2 ||W||^2`` with W of shape (n_features, n_targets). The dual point is
    the residual, with that of the ridge, scaled into the feasible set; excesses that rounding
    explains (1e-12 of the lengths' product) are instead moved back along their columns, at a cost.

    Parameters
    ----------
    X : {ndarray, sparse array} of shape (n_samples, n_features)
    Y : ndarray of shape (n_samples, n_targets)
    W : ndarray of shape (n_features, n_targets)
    alpha, l1_ratio : float
    centered : bool

    Returns
    -------
    objective, gap : float
    """
    n_samples = len(Y)
    weight, l2 = n_samples * alpha * l1_ratio, n_samples * alpha * (1.0 - l1_ratio)
    target = Y - Y.mean(axis=0) if centered else Y
    fitted = X @ W
    residual = target - (fitted - fitted.mean(axis=0) if centered else fitted)
    dual = X.T @ residual - l2 * W
    squares, inner = (residual**2).sum() + l2 * (W**2).sum(), (residual * target).sum()
    objective = 0.5 * squares + weight * np.linalg.norm(W, axis=1).sum()
    norms, gaps = np.linalg.norm(dual, axis=1), []
    dense = X.toarray() if hasattr(X, "toarray") else np.asarray(X)
    sizes = np.sqrt(((dense - dense.mean(axis=0) * centered) ** 2).sum(axis=0) + l2)
    for slack in (0.0, 1e-12 * np.linalg.norm(target) * sizes):
        worst = (norms / (weight + slack)).max()
        best = max(inner / max(squares, np.finfo(float).tiny), 0.0)
        scale = best if best * worst <= 1.0 else 1.0 / worst
        excess = np.maximum(scale * norms - weight, 0.0)
        moved = (excess[excess > 0.0] / sizes[excess > 0.0]).sum()
        rest = np.sqrt(((target - scale * residual) ** 2).sum() + scale**2 * l2 * (W**2).sum())
        gaps.append(objective - scale * inner + 0.5 * scale**2 * squares + moved * rest)
    return objective / n_samples, min(gaps) / n_samples


def logistic_gap(X, y, coef, intercept, C, l1_ratio):
    """Objective and duality gap of (multinomial) logistic regression.

    ``sum_i loss_i + (l1_ratio ||w||_1 + (1 - l1_ratio) / 2 ||w||^2) / C``, scikit-learn's objective
    over C. The dual point lies between the labels and the model's probabilities: what the penalty's
    dual ball allows, or the probabilities themselves where ``l1_ratio`` is below one. Without a
    penalty no gap is known, and the largest slope stands for it.

    Parameters
    ----------
    X : {ndarray, sparse array} of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
        Labels 0, 1, and so on.
    coef, intercept : ndarray of shape (1 or n_classes, n_features) and (1 or n_classes,)
        As in scikit-learn.
    C, l1_ratio : float

    Returns
    -------
    objective, gap : float
    """
    scores = X @ coef.T + intercept
    if scores.shape[1] == 1:
        scores = np.column_stack([np.zeros(len(y)), scores])
    scores = scores - scores.max(axis=1, keepdims=True)
    target = np.zeros_like(scores)
    target[np.arange(len(y)), y] = 1.0
    log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    l1, l2 = l1_ratio / C, (1.0 - l1_ratio) / C
    w = coef.T
    primal = -log_p[target > 0].sum() + l1 * np.abs(w).sum() + 0.5 * l2 * (w**2).sum()

    def pull(probabilities):
        return (X.T @ (target - probabilities))[:, -w.shape[1] :]

    size = np.abs(pull(np.exp(log_p)) - l2 * w)
    if l1 == 0.0 and l2 == 0.0:
        return primal, size.max()
    scale = min(1.0, np.min(l1 / np.maximum(size, 1e-300))) if l1 > 0.0 else 1.0
    gaps = []
    for t in (scale, 1.0) if l2 > 0.0 else (scale,):
        mixed = (1.0 - t) * target + t * np.exp(log_p)
        entropy = -(mixed * np.log(np.where(mixed > 0.0, mixed, 1.0))).sum()
        excess = np.maximum(np.abs(pull(mixed)) - l1, 0.0)
        gaps.append(primal - entropy + ((excess**2).sum() / (2.0 * l2) if l2 > 0.0 else 0.0))
    return primal, min(gaps)


def group_logistic_gap(X, y, coef, intercept, C, l1_ratio, groups, factors, positive=False):
    """Objective and duality gap of logistic regression with a (sparse) group penalty.

    ``sum_i loss_i + (l1_ratio ||w||_1 + (1 - l1_ratio) sum_g factors_g ||w_g||) / C``. The dual
    point is the slopes, scaled by the largest multiple that a bisection proves feasible.

    Parameters
    ----------
    X : {ndarray, sparse array} of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
        Labels 0 and 1.
    coef, intercept : ndarray of shape (n_features,) and float
    C, l1_ratio : float
    groups : list of lists of int
    factors : ndarray of shape (n_groups,)
    positive : bool

    Returns
    -------
    objective, gap : float
    """
    sign = 2.0 * y - 1.0
    margin = sign * (X @ coef + intercept)
    l1, weights = l1_ratio / C, (1.0 - l1_ratio) / C * np.asarray(factors)
    norms = np.array([np.linalg.norm(coef[group]) for group in groups])
    objective = np.logaddexp(0.0, -margin).sum() + l1 * np.abs(coef).sum() + weights @ norms
    share = 1.0 / (1.0 + np.exp(margin))  # of the slope -sign * share
    pull = X.T @ (sign * share)

    def feasible(scale):
        size = scale * pull if positive else np.abs(scale * pull)
        soft = np.maximum(size - l1, 0.0)
        excess = np.array([np.linalg.norm(soft[group]) for group in groups])
        return (excess <= weights).all()

    low, high = 0.0, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if feasible(middle) else (low, middle)
    u = low * share if not feasible(1.0) else share
    rest = 1.0 - u
    entropy = (u * np.log(np.where(u > 0, u, 1)) + rest * np.log(np.where(rest > 0, rest, 1))).sum()
    return objective, objective + entropy


def linear_svm_gap(X, y, w, alpha, cost, squared):
    """Objective of a linear support vector machine, and its excess over the dual's at ``alpha``.

    Primal ``1/2 ||w||^2 + sum_i cost_i max(0, 1 - y_i x_i'w)^k``, k = 2 where ``squared``; a
    penalised intercept is the coefficient of a constant column of X.

    Parameters
    ----------
    X : {ndarray, sparse array} of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
        -1 or 1.
    w : ndarray of shape (n_features,)
    alpha : ndarray of shape (n_samples,)
        From 0 to ``cost``, or from 0 where ``squared``.
    cost : ndarray of shape (n_samples,)
    squared : bool

    Returns
    -------
    objective, gap : float
    """
    slack = np.maximum(1.0 - y * (X @ w), 0.0)
    objective = 0.5 * w @ w + cost @ (slack**2 if squared else slack)
    combined = X.T @ (alpha * y)
    dual = alpha.sum() - 0.5 * combined @ combined
    if squared:
        dual -= (alpha**2 / (4.0 * cost)).sum()
    return objective, objective - dual


def kernel_svm_gap(K, y, alpha, intercept, cost):
    """Objective of a kernel support vector machine at dual variables, and its excess over theirs.

    Primal ``1/2 ||w||^2 + sum_i cost_i max(0, 1 - y_i (w'phi(x_i) + intercept))`` at
    ``w = sum_i alpha_i y_i phi(x_i)``. What rounding leaves of ``alpha'y = 0`` is charged for,
    times the intercept.

    Parameters
    ----------
    K : ndarray of shape (n_samples, n_samples)
        The kernel matrix.
    y : ndarray of shape (n_samples,)
        -1 or 1.
    alpha : ndarray of shape (n_samples,)
        From 0 to ``cost``; anything beyond is cut off.
    intercept : float
    cost : float or ndarray of shape (n_samples,)

    Returns
    -------
    objective, gap : float
    """
    alpha = np.clip(alpha, 0.0, cost)
    score = K @ (alpha * y)
    quadratic = (alpha * y) @ score
    loss = (cost * np.maximum(1.0 - y * (score + intercept), 0.0)).sum()
    objective = 0.5 * quadratic + loss
    return objective, objective - alpha.sum() + 0.5 * quadratic + abs(intercept * (alpha @ y))
