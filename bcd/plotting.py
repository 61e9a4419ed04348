"""Pictures of paths and of convergence, in scikit-learn's Display convention."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from bcd.estimators._base import LinearModel
from bcd.estimators._validation import check_number
from bcd.estimators.lasso import ElasticNet
from bcd.path import enet_path
from bcd.warm_path import warm_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STRONGEST = 8  # features with a colour and a name of their own
REST = "#cccccc"


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("plotting needs matplotlib: pip install 'southwell[plot]'.") from error
    return plt.subplots(layout="constrained")[1]


class PathDisplay:
    """Coefficients along a regularisation path.

    Parameters
    ----------
    alphas : ndarray of shape (n_alphas,)
    coefs : ndarray of shape (n_features, n_alphas)
    feature_names : sequence of str, default=None
    alpha : float, default=None
        A penalty to be marked.
    xlabel : str, default="alpha (penalty)"

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        Of the strongest features, the strongest first.

    Examples
    --------
    >>> from bcd import Lasso
    >>> from bcd.plotting import PathDisplay
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> display = PathDisplay.from_estimator(Lasso(alpha=0.1), X, y)
    >>> len(display.lines_)
    8
    """

    def __init__(self, alphas, coefs, *, feature_names=None, alpha=None, xlabel="alpha (penalty)"):
        self.alphas, self.coefs = alphas, coefs
        self.feature_names, self.alpha, self.xlabel = feature_names, alpha, xlabel

    @classmethod
    def from_estimator(cls, estimator, X, y, *, eps=1e-3, alphas=100, ax=None, **line_settings):
        """Follow the path of an estimator, and draw it.

        Parameters
        ----------
        estimator : estimator of southwell
            Lasso, ElasticNet, their kin with cross-validation, or any other with ``warm_start``,
            one row of coefficients and ``alpha`` or ``C`` (the penalty is ``1 / C``): logistic,
            group, Huber and Poisson models. Fitted or not; its penalty (that chosen by
            cross-validation) is marked. It is not changed.
        X, y : array-like
        eps : float, default=1e-3
            Last penalty of the grid, relative to the first.
        alphas : int or array-like, default=100
            Length of a geometric grid from the least penalty at which every coefficient is zero, or
            the penalties themselves.
        ax : matplotlib Axes, default=None
        **line_settings : dict
            Handed to ``ax.plot``.

        Returns
        -------
        PathDisplay

        Raises
        ------
        TypeError
            If the estimator is of another kind.
        ValueError
            If the estimator has more than one row of coefficients, or a grid is asked for and no
            penalty makes every coefficient zero.
        """
        settings = estimator.get_params() if hasattr(estimator, "get_params") else {}
        names = list(X.columns) if hasattr(X, "columns") else None
        inverse = "C" in settings
        if inverse:
            check_number("C", settings["C"], 0.0, above=True)
        if isinstance(estimator, ElasticNet):
            ratio = getattr(estimator, "l1_ratio_", getattr(estimator, "l1_ratio", 1.0))
            if np.ndim(ratio):
                raise ValueError(f"estimator must be fitted where l1_ratio is many, got {ratio}.")
            grid, coefs, _ = enet_path(
                X,
                y,
                l1_ratio=ratio,
                eps=eps,
                alphas=alphas,
                fit_intercept=settings["fit_intercept"],
                positive=settings.get("positive", True),
                penalty_factor=settings.get("penalty_factor"),
                bounds=settings["bounds"],
                tol=settings["tol"],
            )
            if coefs.ndim != 2:
                raise ValueError(f"y must be of one target, got {len(coefs)} targets.")
        elif (
            isinstance(estimator, LinearModel)
            and "warm_start" in settings
            and (inverse or "alpha" in settings)
        ):
            grid, coefs = warm_path(estimator, X, y, eps=eps, alphas=alphas)
        else:
            raise TypeError(
                "estimator must be one of southwell with warm_start and alpha or C, "
                f"got {type(estimator).__name__}."
            )
        alpha = settings.get("alpha")
        display = cls(
            grid,
            coefs,
            feature_names=names,
            alpha=1.0 / settings["C"] if inverse else getattr(estimator, "alpha_", alpha),
            xlabel="1 / C (penalty)" if inverse else "alpha (penalty)",
        )
        return display.plot(ax=ax, **line_settings)

    def plot(self, ax: Axes | None = None, **line_settings) -> PathDisplay:
        """Draw coefficients against the penalty, strongest in colour.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        **line_settings : dict
            Handed to ``ax.plot``.

        Returns
        -------
        PathDisplay
        """
        ax = _axes(ax)
        strength = np.abs(self.coefs).max(axis=1)
        order = np.argsort(-strength, kind="stable")
        order = order[strength[order] > 0.0]
        for j in order[STRONGEST:]:
            ax.plot(self.alphas, self.coefs[j], color=REST, linewidth=0.7)
        self.lines_ = []
        for j in order[:STRONGEST]:
            name = f"feature {j}" if self.feature_names is None else str(self.feature_names[j])
            (line,) = ax.plot(self.alphas, self.coefs[j], label=name, **line_settings)
            self.lines_.append(line)
        ax.axhline(0.0, color="black", linewidth=0.6)
        if self.alpha is not None and self.alphas[-1] <= self.alpha <= self.alphas[0]:
            ax.axvline(self.alpha, color="black", linestyle="--", linewidth=0.8)
        ax.set(xscale="log", xlabel=self.xlabel, ylabel="coefficient")
        ax.invert_xaxis()
        if self.lines_:
            ax.legend(frameon=False, fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self


def plot_path(estimator, X, y, **settings) -> PathDisplay:
    """Draw the path of an estimator.

    Parameters
    ----------
    estimator, X, y, **settings
        See :meth:`PathDisplay.from_estimator`, of which this is a function.

    Returns
    -------
    PathDisplay
    """
    return PathDisplay.from_estimator(estimator, X, y, **settings)


class ConvergenceDisplay:
    """Duality gap against time or block updates, the proof of how far a fit was from its end.

    Parameters
    ----------
    gaps : dict of str to ndarray
        Duality gap after each block update, by name.
    positions : dict of str to ndarray
        Where each gap is drawn.
    xlabel : str

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D

    Examples
    --------
    >>> from bcd import Lasso
    >>> from bcd.plotting import ConvergenceDisplay
    >>> from sklearn.datasets import load_diabetes
    >>> display = ConvergenceDisplay.from_estimator(
    ...     Lasso(alpha=0.1, tol=1e-8), *load_diabetes(return_X_y=True)
    ... )
    >>> len(display.lines_)
    1
    """

    def __init__(self, gaps, positions, xlabel):
        self.gaps, self.positions, self.xlabel = gaps, positions, xlabel

    @classmethod
    def from_estimator(cls, estimator, X, y, *, against="time", ax=None, name=None, **settings):
        """Fit a clone of the estimator while watching it, and draw its gap.

        Parameters
        ----------
        estimator : Lasso or ElasticNet
            Anything with a ``callback`` parameter that is handed ``gap`` and ``time_s``.
        X, y : array-like
        against : {"time", "steps"}, default="time"
        ax : matplotlib Axes, default=None
        name : str, default=None
            The class's name when None.
        **settings : dict
            Handed to ``ax.plot``.

        Returns
        -------
        ConvergenceDisplay

        Raises
        ------
        ValueError
            If ``against`` is unknown.
        """
        if against not in ("time", "steps"):
            raise ValueError(f"against must be one of steps, time, got {against!r}.")
        gaps: list[float] = []
        steps: list[float] = []

        def watch(progress):
            gaps.append(progress.gap)
            steps.append(1e3 * progress.time_s if against == "time" else progress.n_iter)

        watched = clone(estimator).set_params(callback=watch)
        watched.fit(X, y)
        label = name or type(estimator).__name__
        xlabel = "time (ms)" if against == "time" else "block updates"
        display = cls({label: np.array(gaps)}, {label: np.array(steps)}, xlabel)
        return display.plot(ax=ax, **settings)

    def plot(self, ax: Axes | None = None, **settings) -> ConvergenceDisplay:
        """Draw the gaps on a logarithmic scale; a gap of zero is left out.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        **settings : dict
            Handed to ``ax.plot``.

        Returns
        -------
        ConvergenceDisplay
        """
        ax = _axes(ax)
        self.lines_ = []
        for name, gap in self.gaps.items():
            seen: NDArray = np.where(gap > 0.0, gap, np.nan)
            style = {"marker": "o", "markersize": 3, **settings}
            (line,) = ax.plot(self.positions[name], seen, label=name, **style)
            self.lines_.append(line)
        ax.set(yscale="log", xlabel=self.xlabel, ylabel="duality gap")
        ax.grid(alpha=0.3)
        ax.legend(frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self


def plot_convergence(estimator, X, y, **settings) -> ConvergenceDisplay:
    """Fit an estimator and draw its duality gaps.

    Parameters
    ----------
    estimator, X, y, **settings
        See :meth:`ConvergenceDisplay.from_estimator`, of which this is a function.

    Returns
    -------
    ConvergenceDisplay
    """
    return ConvergenceDisplay.from_estimator(estimator, X, y, **settings)
