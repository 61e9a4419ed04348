"""What each figure compares: one :class:`Setting` a curve.

FB: fixed blocks of a partition; VB: variable blocks, chosen anew each iteration. Names and layout
follow Nutini, Laradji & Schmidt (JMLR 2022), section 7 and appendix.
"""

from __future__ import annotations

from dataclasses import dataclass

ITERATIONS = 500


@dataclass(frozen=True)
class Setting:
    """One run: a data set and the three choices."""

    data: str  # letter of the data set
    size: int  # |b|; 0 where the blocks are as large as forests are
    partition: str
    selection: str
    update: str

    @property
    def key(self) -> str:
        """Name of the file that holds the run."""
        parts = (self.data, str(self.size), self.partition, self.selection, self.update)
        return "_".join(part.replace("-", "") for part in parts)


@dataclass(frozen=True)
class Figure:
    """Panels by data set (rows) and block size (columns), and the curves in each."""

    number: str
    title: str
    curves: dict[str, tuple[str, str, str]]  # label: partition, selection, update
    data: tuple[str, ...]
    sizes: tuple[int, ...]
    only: tuple[tuple[str, str], ...] = ()  # (label, data) of curves that only one set has

    def settings(self, data: str, size: int) -> dict[str, Setting]:
        """Curves of one panel by label."""
        limited = {label for label, _ in self.only}
        return {
            label: Setting(data, size, *rules)
            for label, rules in self.curves.items()
            if label not in limited or (label, data) in self.only
        }

    def panels(self) -> list[tuple[str, int]]:
        """Return data set and block size of each panel, row by row."""
        return [(data, size) for data in self.data for size in self.sizes]


BLIND = ("random", "cyclic", "lipschitz")


def _fixed_and_variable(selections, partition: str, update: str) -> dict:
    curves = {f"{s}, FB": (partition, s, update) for s in selections}
    return curves | {f"{s}, VB": ("variable", s, update) for s in selections}


GRADIENT = _fixed_and_variable((*BLIND, "gs", "gsl"), "sorted", "gradient")
MATRIX = _fixed_and_variable(("gs", "gsl", "gsd", "gsq"), "sorted", "matrix")
NEWTON = _fixed_and_variable(("gs", "gsl", "gsd", "gsq"), "sorted", "newton")
BACKTRACKED = {
    f"{s}, {name}": ("order", s, update)
    for update, name in (("gradient", "L"), ("backtracking", "LA"))
    for s in (*BLIND, "gs", "gsl")
}
PARTITIONED = {
    f"{s}, {p}": (p, s, "gradient")
    for p in ("sorted", "averaged", "order")
    for s in ("gs", "gsd", "gsl")
}


def _proximal(greedy: bool) -> dict:
    selection = "gs-q" if greedy else "random"
    updates = {"PG": "prox-gradient", "PN": "prox-newton", "TMP": "two-metric"}
    return {
        f"{name}, {kind}": (partition, selection, update)
        for kind, partition in (("FB", "sorted"), ("VB", "variable"))
        for name, update in updates.items()
    }


FORESTS = {
    "greedy forest": ("variable", "greedy-forest", "message-passing"),
    "two combs": ("combs", "gs", "message-passing"),
    "trees in order": ("trees", "gs", "message-passing"),
    "trees by L": ("trees-lipschitz", "gs", "message-passing"),
    "random forest": ("variable", "random-forest", "message-passing"),
    "red-black in order": ("red-black", "gs", "message-passing"),
    "red-black by L": ("red-black-lipschitz", "gs", "message-passing"),
    "general blocks": ("sorted", "gs", "matrix"),
}
# on a lattice two interlocking combs are the tree partition, and all L_i are alike
ONLY = (
    ("two combs", "D"),
    *(
        (f"{blocks} {order}", "E")
        for blocks, order in (("trees", "in order"), ("trees", "by L"), ("red-black", "by L"))
    ),
)

EVERY = ("A", "B", "C", "D", "E")
FIGURES = {
    "fig4": Figure("4", "Gradient updates, L_b known", GRADIENT, ("A", "C", "E"), (5,)),
    "fig5": Figure("5", "Matrix updates H_b", MATRIX, ("A", "C", "E"), (5,)),
    "fig6": Figure("6", "Message passing", FORESTS, ("D", "E"), (0,), ONLY),
    "fig7": Figure("7", "Greedy proximal updates", _proximal(True), ("A-l1nn",), (5, 50, 100)),
    "fig8": Figure("8", "Gradient updates, L_b known", GRADIENT, EVERY, (5, 50, 100)),
    "fig9": Figure("9", "L_b known and backtracked", BACKTRACKED, EVERY, (5, 20, 50)),
    "fig10": Figure("10", "Partitions of fixed blocks", PARTITIONED, EVERY, (5, 20, 50)),
    "fig11": Figure("11", "Matrix updates H_b", MATRIX, EVERY, (5, 50, 100)),
    "fig12": Figure("12", "Newton updates, line search", NEWTON, ("B", "C"), (5, 50, 100)),
    "fig13": Figure("13", "Random proximal updates", _proximal(False), ("A-l1nn",), (5, 50, 100)),
}
