"""Pictures of a race: time against gap for each cell, and the performance profile over all."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.race import HOPELESS, LEVELS, OURS, Outcome

if TYPE_CHECKING:
    from matplotlib.axis import Axis

FLOOR = 1e-13
SHORT_AXIS = 30.0  # highest by lowest value below which a decade has three labels


def colors(outcomes: list[Outcome], least_share: float = 0.0) -> dict[str, str]:
    """Red for ours, one colour of a colour-blind friendly set for each peer of enough cells."""
    others = (
        "#3b6ea5",
        "#e0a030",
        "#4b9b6e",
        "#8a5fa8",
        "#7a7a7a",
        "#6cc2d9",
        "#b0653a",
        "#c08bb0",
    )
    met = Counter(name for outcome in outcomes for name in outcome.names)
    peers = [n for n, count in met.items() if n != OURS and count >= least_share * len(outcomes)]
    cycle = (others[k % len(others)] for k in range(len(peers)))
    return {OURS: "#c8102e", **dict(zip(peers, cycle, strict=True))}


def label_few(axis: Axis) -> None:
    """Label a logarithmic axis at 1, 2 and 5 of a decade if it is short, at few decades if long."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    short = high < SHORT_AXIS * low
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if short else (1.0,), numticks=8))
    axis.set_minor_formatter(NullFormatter())
    if short:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def draw_time_against_gap(outcomes: list[Outcome], file: Path) -> None:
    """One panel a cell: the gap that each solver had proven after that time."""
    import matplotlib.pyplot as plt

    columns = min(4, len(outcomes))
    rows = -(-len(outcomes) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(3.4 * columns, 2.9 * rows), layout="constrained", squeeze=False
    )
    palette = colors(outcomes)
    for axis, outcome in zip(axes.flat, outcomes, strict=False):
        for name in outcome.names:
            runs = sorted((r.time_s, r.gap) for r in outcome.runs if r.solver == name)
            if runs:
                times, gaps = np.array(runs).T
                gaps = np.maximum(np.minimum.accumulate(gaps), FLOOR)
                style = {"linewidth": 2.2, "zorder": 5} if name == OURS else {"linewidth": 1.2}
                axis.loglog(
                    1e3 * times, gaps, "o-", markersize=3, color=palette[name], label=name, **style
                )
        axis.set_title(f"{outcome.data} {outcome.setting}", fontsize=9)
        axis.grid(alpha=0.3)
        axis.tick_params(labelsize=7)
        label_few(axis.xaxis)
        label_few(axis.yaxis)
    for axis in axes.flat[len(outcomes) :]:
        axis.set_axis_off()
    figure.supxlabel("time (ms)", fontsize=9)
    figure.supylabel("duality gap / objective at zero", fontsize=9)
    handles = [plt.Line2D([], [], color=color, label=name) for name, color in palette.items()]
    figure.legend(handles=handles, loc="outside upper center", ncols=5, frameon=False, fontsize=8)
    figure.savefig(file, dpi=90)
    plt.close(figure)


def draw_profile(outcomes: list[Outcome], file: Path, least_share: float = 0.0) -> None:
    """Share of the cells that a solver brings below a level within a multiple of the best time.

    Performance profile after Dolan & More (2002), one panel a level; solvers that run in fewer than
    ``least_share`` of the cells are not drawn, but count among the best.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        1, len(LEVELS), figsize=(11, 3.4), layout="constrained", sharey=True
    )
    palette = colors(outcomes, least_share)
    factors = np.geomspace(1.0, HOPELESS, 200)  # slower solvers were ended
    for axis, level in zip(axes, LEVELS, strict=True):
        for name, color in palette.items():
            ratios = []
            for outcome in outcomes:
                found = [outcome.best(other, level) for other in outcome.names]
                best = min((time for time in found if time is not None), default=None)
                mine = outcome.best(name, level)
                ratios.append(np.inf if mine is None or best is None else mine / best)
            share = [(np.array(ratios) <= factor).mean() for factor in factors]
            axis.step(factors, share, where="post", color=color, label=name)
        axis.set(xscale="log", xlabel="multiple of the best time", title=f"gap {level:.0e}")
        axis.grid(alpha=0.3)
        label_few(axis.xaxis)
    axes[0].set_ylabel("share of the cells")
    figure.legend(
        *axes[0].get_legend_handles_labels(),
        loc="outside upper center",
        ncols=len(palette),
        frameon=False,
        fontsize=8,
    )
    figure.savefig(file, dpi=90)
    plt.close(figure)
