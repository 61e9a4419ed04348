"""Which block is updated next: the rules by name; their equations are in ``_selection_kernels``.

Blind rules look at no gradient:

``cyclic``     blocks in turn
``shuffled``   a fresh permutation of the blocks each round
``random``     uniformly at random
``lipschitz``  with probability proportional to L_b (L_i for variable blocks)

Greedy rules take the block with the largest score (g gradient, s minimum-norm subgradient):

``gs``    ``|s_b|``                          alias ``gs-s``
``gsl``   ``|s_b| / sqrt(L_b)``; for variable blocks with a diagonal D in place of L_b
``gsd``   ``sum_i s_i^2 / D_i`` with a diagonal D_b >= H_b, or that model's decrease: row sums of
          ``|H_b|``, or ``|b| L_i``
``gsq``   ``g_b' H_b^-1 g_b``; for variable blocks approximated by iterative hard thresholding
``mi``    the decrease of the objective that the update would make
``gs-r``  length of the proximal step
``gs-q``  decrease of the separable quadratic model with L_b (L_i for variable blocks)
``greedy-forest``  vertices by decreasing ``|s_i|``, skipping those that would close a cycle
``random-forest``  the same in a random order

References
----------
.. [1] Nutini, Laradji, Schmidt, "Let's make block coordinate descent converge faster", JMLR 23
   (2022), sections 2 and 4.
"""

from bcd import _state

SELECTIONS = {
    "cyclic": _state.CYCLIC,
    "shuffled": _state.SHUFFLED,
    "random": _state.RANDOM,
    "lipschitz": _state.LIPSCHITZ,
    "gs": _state.GS,
    "gs-s": _state.GS,
    "gsl": _state.GSL,
    "gsd": _state.GSD,
    "gs-r": _state.GS_R,
    "gs-q": _state.GS_Q,
    "gsq": _state.GSQ,
    "mi": _state.MI,
    "random-forest": _state.RANDOM_FOREST,
    "greedy-forest": _state.GREEDY_FOREST,
}

BLIND = ("cyclic", "shuffled", "random", "lipschitz")
FORESTS = ("random-forest", "greedy-forest")
