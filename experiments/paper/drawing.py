"""The paper's layout: gap on a log scale against iterations (or seconds), a panel a setting."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from experiments.paper.runs import Curve
from experiments.paper.settings import Figure

FLOOR = 1e-10
COLORS = ("#7a7a7a", "#e0a030", "#8a5fa8", "#3b6ea5", "#c8102e", "#4b9b6e", "#6cc2d9")


def _styles(figure: Figure) -> dict[str, dict]:
    """Give each rule a colour and each kind of block a dash."""
    rules = list(dict.fromkeys(label.split(", ")[0] for label in figure.curves))
    kinds = list(dict.fromkeys(label.split(", ")[-1] for label in figure.curves if ", " in label))
    dashes = dict(zip(kinds, ("--", "-") if len(kinds) == 2 else ("-", "--", ":"), strict=False))
    return {
        label: {
            "color": COLORS[rules.index(label.split(", ")[0]) % len(COLORS)],
            "linestyle": dashes.get(label.split(", ")[-1], "-"),
            "linewidth": 1.5,
        }
        for label in figure.curves
    }


def draw(
    figure: Figure,
    curves: dict[tuple[str, int], dict[str, Curve]],
    file: Path,
    *,
    against_time: bool = False,
) -> None:
    """Draw all panels of a figure as PNG and PDF."""
    import matplotlib.pyplot as plt

    styles = _styles(figure)
    rows, columns = len(figure.data), len(figure.sizes)
    if columns == 1:
        rows, columns = 1, len(figure.data)
    page, axes = plt.subplots(
        rows,
        columns,
        figsize=(3.5 * columns + 0.6, 2.5 * rows + 1.0),
        layout="constrained",
        squeeze=False,
    )
    for axis, (data, size) in zip(axes.flat, figure.panels(), strict=True):
        for label, curve in curves[data, size].items():
            along = curve.time_s if against_time else np.arange(len(curve.gap))
            gap = np.maximum(curve.gap, FLOOR)
            axis.semilogy(along, gap, label=label, **styles[label])
            if 0 < curve.identified_at < len(gap) and curve.gap[-1] < 1e-3 * curve.gap[0]:
                place = curve.identified_at
                axis.plot(
                    along[place], gap[place], "*", color=styles[label]["color"], markersize=11
                )
        axis.set_title(f"{data}, |b| = {size}" if size else data, fontsize=10)
        axis.grid(alpha=0.3)
        axis.tick_params(labelsize=8)
        axis.yaxis.set_major_locator(plt.LogLocator(numticks=7))
        if against_time:
            axis.set_xscale("log")
    page.supxlabel("seconds" if against_time else "iterations (block updates)", fontsize=10)
    page.supylabel("objective - optimum", fontsize=10)
    handles = [plt.Line2D([], [], label=label, **style) for label, style in styles.items()]
    if any(c.identified_at > 0 for panel in curves.values() for c in panel.values()):
        star = {"marker": "*", "linestyle": "none", "color": "black", "markersize": 9}
        handles.append(plt.Line2D([], [], label="active set identified", **star))
    page.legend(
        handles=handles,
        loc="outside upper center",
        ncols=min(5, len(handles)),
        fontsize=8,
        frameon=False,
        title=f"Figure {figure.number}: {figure.title}",
    )
    for suffix in (".png", ".pdf"):
        page.savefig(file.with_suffix(suffix), dpi=110)
    plt.close(page)
