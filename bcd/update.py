"""How a chosen block moves: the rules by name; their equations are in ``_update_kernels``.

``gradient``         ``d = -g_b / L_b``
``backtracking``     the same with L_b estimated, doubled until the quadratic bound holds; it looks
                     at objectives, so that rounding ends it at about 1e-8 of the first gradient
``matrix``           ``d = -H_b^-1 g_b``
``newton``           the true Hessian block and a line search
``exact``            the block's minimiser (quadratics, with or without penalty)
``prox-gradient``    ``prox(u - g_b / L_b)``
``prox-newton``      minimiser of the true quadratic model plus penalty, line search
``two-metric``       Newton on the coordinates that are free, projected, search along the arc
``message-passing``  exact on blocks that induce a forest, in O(|b|)
"""

from bcd import _state

UPDATES = {
    "gradient": _state.GRADIENT,
    "backtracking": _state.BACKTRACKING,
    "matrix": _state.MATRIX,
    "newton": _state.NEWTON,
    "exact": _state.EXACT,
    "prox-gradient": _state.PROX_GRADIENT,
    "prox-newton": _state.PROX_NEWTON,
    "two-metric": _state.TWO_METRIC,
    "message-passing": _state.MESSAGE_PASSING,
}

SMOOTH_ONLY = ("gradient", "matrix", "newton")
PROXIMAL = ("prox-gradient", "prox-newton", "two-metric", "exact", "backtracking")
NEEDS_BOUND = ("gradient", "matrix", "prox-gradient")
