"""What each figure must show, checked on the runs that it draws.

Every function returns rows of a table: claim, what was measured, whether it holds. Values are
those at iteration 500 unless said otherwise; "to 1e-8" counts iterations until F - F* <= 1e-8.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

from experiments.paper.runs import Curve
from experiments.paper.settings import FIGURES, ITERATIONS

Panels = dict[tuple[str, int], dict[str, Curve]]
SOLVED = 1e-8
CLOSE = 10.0  # "about": a data set made anew differs in value, not in order of magnitude


class Claim(NamedTuple):
    """One row of the table."""

    claim: str
    measured: str
    holds: bool


def _end(curves: dict[str, Curve], label: str) -> float:
    return max(curves[label].at(ITERATIONS), 0.0)


def _values(curves: dict[str, Curve], labels) -> str:
    return ", ".join(f"{label} {_end(curves, label):.1e}" for label in labels)


def _at_most(claim: str, curves, better: str, worse: str, factor: float = 1.0) -> Claim:
    """``better`` ends no higher than ``factor`` times ``worse``; below 1e-8 both are solved."""
    low, high = _end(curves, better), _end(curves, worse)
    holds = low <= factor * high or low <= SOLVED
    return Claim(claim, _values(curves, (better, worse)), holds)


def _iterations(curves: dict[str, Curve], labels) -> tuple[list[int], str]:
    counts = [curves[label].first_below(SOLVED) for label in labels]
    shown = ", ".join(
        f"{label} {count if count >= 0 else f'> {len(curves[label].gap) - 1}'}"
        for label, count in zip(labels, counts, strict=True)
    )
    return counts, f"to 1e-8: {shown}"


def _blind_labels(kind: str) -> list[str]:
    return [f"{rule}, {kind}" for rule in ("random", "cyclic", "lipschitz")]


def gradient_rules(panels: Panels) -> list[Claim]:
    """Figure 4."""
    rows = []
    a = panels["A", 5]
    blind = [label for kind in ("FB", "VB") for label in _blind_labels(kind)]
    best = min(_end(a, label) for label in blind)
    greedy = max(_end(a, "gsl, VB"), _end(a, "gsl, FB"))
    rows.append(
        Claim(
            "A: greedy beats random, cyclic and Lipschitz sampling by orders",
            f"gsl at worst {greedy:.1e}, blind at best {best:.1e}",
            10.0 * greedy <= best,
        )
    )
    for data in ("A", "C", "E"):
        curves = panels[data, 5]
        for kind in ("FB", "VB"):
            claim = f"{data}: gsl <= gs, {kind}"
            rows.append(_at_most(claim, curves, f"gsl, {kind}", f"gs, {kind}", 1.02))
        rows.append(_at_most(f"{data}: gs VB <= gs FB", curves, "gs, VB", "gs, FB", 1.02))
        if data != "A":
            rows.append(_at_most(f"{data}: gsl VB <= gsl FB", curves, "gsl, VB", "gsl, FB", 1.02))
    for rule in ("random", "cyclic"):
        claim = f"A: {rule} is better FB than VB"
        rows.append(_at_most(claim, a, f"{rule}, FB", f"{rule}, VB"))
    low, high = sorted((_end(a, "gsl, VB"), _end(a, "gsl, FB")))
    rows.append(
        Claim(
            "A: gsl VB about 8e3, FB about the same",
            _values(a, ("gsl, VB", "gsl, FB")),
            low > 8e3 / CLOSE and high < CLOSE * 8e3,
        )
    )
    return rows


def matrix_rules(panels: Panels) -> list[Claim]:
    """Figure 5."""
    a = panels["A", 5]
    refined, diagonal, plain = (_end(a, f"{r}, VB") for r in ("gsq", "gsd", "gsl"))
    others = [f"{r}, FB" for r in ("gs", "gsl", "gsd", "gsq")] + ["gs, VB"]
    best = min(_end(a, label) for label in others)
    worst = max(others, key=lambda label: _end(a, label))
    return [
        Claim(
            "A: gsq VB and gsd VB about 0.03 to 0.1",
            _values(a, ("gsq, VB", "gsd, VB")),
            max(refined, diagonal) < CLOSE * 0.1,
        ),
        Claim("A: gsl VB 10 to 100", f"{plain:.1e}", 10 / CLOSE < plain < 100 * CLOSE),
        Claim(
            "A: every FB rule and gs VB far above (1e4 or worse)",
            _values(a, others),
            best > 1e4 / CLOSE,
        ),
        Claim("A: gs FB is worst", worst, worst == "gs, FB"),
    ]


def forests(panels: Panels) -> list[Claim]:
    """Figure 6."""
    d, e = panels["D", 0], panels["E", 0]

    def chain(data: str, curves, labels: tuple[str, ...]) -> list[Claim]:
        return [
            _at_most(f"{data}: {low} < {high}", curves, low, high)
            for low, high in itertools.pairwise(labels)
        ]

    greedy, trees = _end(d, "greedy forest"), _end(d, "two combs")
    shown = _values(d, ("greedy forest", "two combs"))
    same = greedy < CLOSE * trees and trees < CLOSE * greedy
    rows = [
        Claim("D: greedy forest = tree partition", shown, same),
        Claim("D: both about 1e-5", shown, max(greedy, trees) < CLOSE * 1e-5),
    ]
    rows += chain("D", d, ("two combs", "random forest", "red-black in order", "general blocks"))
    order = (
        "greedy forest",
        "trees by L",
        "trees in order",
        "random forest",
        "red-black by L",
        "red-black in order",
        "general blocks",
    )
    return rows + chain("E", e, order)


def greedy_proximal(panels: Panels) -> list[Claim]:
    """Figure 7."""
    rows = []
    for size, most in ((5, 90), (50, 15), (100, 15)):
        curves = panels["A-l1nn", size]
        counts, shown = _iterations(curves, ("PN, VB", "TMP, VB"))
        expected = "about 60" if size == 5 else "about 5 to 10"
        rows.append(
            Claim(
                f"|b| = {size}: PN and TMP with VB solve in {expected} iterations",
                shown,
                all(0 <= count <= most for count in counts),
            )
        )
    counts, shown = _iterations(panels["A-l1nn", 5], ("PG, VB",))
    rows.append(Claim("|b| = 5: PG VB about 150", shown, 0 <= counts[0] <= 250))
    counts, shown = _iterations(panels["A-l1nn", 50], ("PN, FB", "TMP, FB"))
    fine = all(20 <= count <= 400 for count in counts)
    rows.append(Claim("|b| = 50: PN and TMP with FB take 130 to 300", shown, fine))
    for size in (50, 100):
        counts, shown = _iterations(panels["A-l1nn", size], ("PG, FB",))
        rows.append(Claim(f"|b| = {size}: PG FB never gets there", shown, counts[0] < 0))
    return rows


def gradient_by_size(panels: Panels) -> list[Claim]:
    """Figure 8."""
    ratios = []
    for size in (5, 50, 100):
        curves = panels["A", size]
        rest = min(_end(curves, label) for label in curves if label != "gsl, VB")
        ratios.append(rest / max(_end(curves, "gsl, VB"), 1e-300))
    shown = ", ".join(f"|b| = {s}: {r:.3g}" for s, r in zip((5, 50, 100), ratios, strict=True))
    a = panels["A", 100]
    return [
        Claim(
            "A: the gap between gsl VB and the rest widens with block size",
            f"next best / gsl VB: {shown}",
            ratios[0] < ratios[1] < ratios[2],
        ),
        Claim(
            "A, |b| = 100: gsl VB about 3e-5",
            _values(a, ("gsl, VB",)),
            _end(a, "gsl, VB") < CLOSE * 3e-5,
        ),
        Claim(
            "A, |b| = 100: random about 1e5",
            _values(a, ("random, FB", "random, VB")),
            max(_end(a, "random, FB"), _end(a, "random, VB")) > 1e5 / CLOSE,
        ),
    ]


def backtracking(panels: Panels) -> list[Claim]:
    """Figure 9."""
    rows = []
    for data in ("B", "C"):
        for size in (5, 20, 50):
            curves = panels[data, size]
            claim = f"{data}, |b| = {size}: backtracking beats known bounds by far"
            rows.append(_at_most(claim, curves, "gsl, LA", "gsl, L", 0.7))
    curves = panels["C", 50]
    bounded = min(_end(curves, f"{r}, L") for r in ("gs", "gsl", "random", "cyclic", "lipschitz"))
    rows.append(
        Claim(
            "C, |b| = 50: LA-gsl about 26, every L_b rule far above (> 3e3)",
            f"LA-gsl {_end(curves, 'gsl, LA'):.1e}, best L_b rule {bounded:.1e}",
            _end(curves, "gsl, LA") < CLOSE * 26 and bounded > 3e3 / CLOSE,
        )
    )
    gains = [
        _end(panels["A", s], "gsl, L") / max(_end(panels["A", s], "gsl, LA"), 1e-300)
        for s in (5, 20, 50)
    ]
    shown = ", ".join(f"|b| = {s}: {g:.3g}" for s, g in zip((5, 20, 50), gains, strict=True))
    rows.append(
        Claim("A: helps as blocks grow", f"L / LA at 500: {shown}", gains[2] > max(gains[0], 1.0))
    )
    for data in ("D", "E"):
        curves = panels[data, 50]
        low = _end(curves, "gsl, L")
        claim = f"{data}, |b| = 50: backtracking does not help"
        shown = _values(curves, ("gsl, L", "gsl, LA"))
        rows.append(Claim(claim, shown, low <= CLOSE * _end(curves, "gsl, LA")))
    return rows


def partitions(panels: Panels) -> list[Claim]:
    """Figure 10."""
    rows = []
    for size in (5, 20, 50):
        curves = panels["A", size]
        for other in ("averaged", "order"):
            claim = f"A, |b| = {size}: sorted <= {other}, gsl"
            rows.append(_at_most(claim, curves, "gsl, sorted", f"gsl, {other}"))
    a = panels["A", 50]
    ends = [_end(a, f"gsl, {p}") for p in ("sorted", "averaged", "order")]
    rows.append(
        Claim(
            "A, |b| = 50, gsl: sorted about 4, averaged 2e2, order 5e4",
            _values(a, ("gsl, sorted", "gsl, averaged", "gsl, order")),
            ends[0] * 10 <= ends[1] and ends[1] * 10 <= ends[2],
        )
    )
    d = panels["D", 50]
    ends = [_end(d, f"gsl, {p}") for p in ("sorted", "averaged", "order")]
    shown = _values(d, ("gsl, sorted", "gsl, averaged", "gsl, order"))
    rows.append(Claim("D: little difference", shown, max(ends) <= 10 * min(ends)))
    return rows


def matrix_by_size(panels: Panels) -> list[Claim]:
    """Figure 11."""
    rows = []
    for size, most in ((50, 150), (100, 100)):
        counts, shown = _iterations(panels["A", size], ("gsq, VB", "gsd, VB"))
        rows.append(
            Claim(f"A, |b| = {size}: gsq VB to 1e-8 in {most}", shown, 0 <= counts[0] <= most)
        )
        fixed = [f"{r}, FB" for r in ("gs", "gsl", "gsd", "gsq")]
        others, shown = _iterations(panels["A", size], fixed)
        twice = all(count < 0 or count >= 2 * counts[0] for count in others)
        rows.append(Claim(f"A, |b| = {size}: FB rules need twice or more", shown, twice))
    for data, size in panels:
        curves = panels[data, size]
        best = min(curves, key=lambda label: _end(curves, label))
        low = _end(curves, "gsq, VB")
        rows.append(
            Claim(
                f"{data}, |b| = {size}: gsq VB best",
                f"gsq VB {low:.1e}, best {best} {_end(curves, best):.1e}",
                low <= 1.1 * _end(curves, best) or low <= SOLVED,
            )
        )
    return rows


def newton(panels: Panels) -> list[Claim]:
    """Figure 12."""
    rows = []
    for size, most in ((50, 165), (100, 120)):
        counts, shown = _iterations(panels["B", size], ("gsq, VB",))
        claim = f"B, |b| = {size}: Newton gsq VB to 1e-8 in about {most}"
        rows.append(Claim(claim, shown, 0 <= counts[0] <= 1.5 * most))
    for size in (5, 50, 100):
        curves = panels["C", size]
        best = min(curves, key=lambda label: _end(curves, label))
        shown = f"gsq VB {_end(curves, 'gsq, VB'):.1e}, best {best} {_end(curves, best):.1e}"
        holds = _end(curves, "gsq, VB") <= 1.1 * _end(curves, best)
        rows.append(Claim(f"C, |b| = {size}: gsq VB best", shown, holds))
    return rows


def random_proximal(panels: Panels) -> list[Claim]:
    """Figure 13."""
    rows = []
    for size in (5, 50, 100):
        curves = panels["A-l1nn", size]
        counts, shown = _iterations(curves, tuple(curves))
        claim = f"|b| = {size}: without greedy selection nothing is solved in 500 iterations"
        rows.append(Claim(claim, shown, all(count < 0 for count in counts)))
    return rows


CLAIMS: dict[str, Callable[[Panels], list[Claim]]] = {
    "fig4": gradient_rules,
    "fig5": matrix_rules,
    "fig6": forests,
    "fig7": greedy_proximal,
    "fig8": gradient_by_size,
    "fig9": backtracking,
    "fig10": partitions,
    "fig11": matrix_by_size,
    "fig12": newton,
    "fig13": random_proximal,
}
assert CLAIMS.keys() == FIGURES.keys()
