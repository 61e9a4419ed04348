"""The solvers of the label propagation race: each yields calls, with ever tighter tolerance."""

from __future__ import annotations

import numpy as np

from bcd import solve_graph_system

OURS = "southwell"
LEVELS = (1e-3, 1e-6, 1e-9)
TOLERANCES = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 1e-4, 1e-5, 1e-6)


def southwell(Q, q):
    """Ours, at each level's own tolerance and at others."""
    for tol in (1e-1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-9):
        yield lambda tol=tol: solve_graph_system(Q, q, tol=tol).x


def jacobi_cg(Q, q):
    """Scipy's conjugate gradients under the diagonal, in 32-bit indices."""
    import scipy.sparse as sp
    from scipy.sparse.linalg import cg

    for tol in TOLERANCES:
        yield lambda tol=tol: cg(Q, q, rtol=tol, M=sp.diags_array(1.0 / Q.diagonal()))[0]


def spsolve(Q, q):
    """Scipy's SuperLU."""
    from scipy.sparse import csc_matrix
    from scipy.sparse.linalg import spsolve

    yield lambda: spsolve(csc_matrix(Q), q)


def cholmod(Q, q):
    """CHOLMOD through scikit-sparse."""
    from scipy.sparse import csc_matrix
    from sksparse.cholmod import cholesky

    yield lambda: cholesky(csc_matrix(Q))(q)


def pyamg(Q, q):
    """Ruge-Stueben multigrid under conjugate gradients, the set-up included."""
    from pyamg import ruge_stuben_solver
    from scipy.sparse import csr_matrix

    for tol in (1e-1, 1e-2, 1e-4):
        yield lambda tol=tol: ruge_stuben_solver(csr_matrix(Q)).solve(q, tol=tol, accel="cg")


def pardiso(Q, q):
    """Intel's PARDISO through pypardiso, its factor not kept between calls."""
    from pypardiso import PyPardisoSolver
    from scipy.sparse import csr_matrix

    def solve():
        solver = PyPardisoSolver()
        x = solver.solve(csr_matrix(Q), q)
        solver.free_memory(everything=True)
        return x

    yield solve


def dirichlet(Q, q):
    """Scikit-network's Dirichlet regression, the whole graph put together again around one label.

    What leaves the unknowns leads to one more vertex, of value 0 or 1 a side, so the harmonic
    function is the same; its iterations are doubled until the race's budget is spent.
    """
    from scipy.sparse import csr_matrix
    from sknetwork.regression import Dirichlet

    whole, labels = _surrounded(Q, q)
    graph, n = csr_matrix(whole), len(q)
    for power in range(4, 13):

        def solve(power=power):
            model = Dirichlet(n_iter=2**power)
            return 2.0 * model.fit_predict(graph, labels)[:n] - 1.0

        yield solve


def _surrounded(Q, q):
    """Return weights among the unknowns and two vertices of labels -1 and 1 that pull as q does."""
    import scipy.sparse as sp

    off = sp.csr_array(-Q)
    off.setdiag(0.0)
    off.eliminate_zeros()
    pull = np.asarray(Q.sum(axis=1)).ravel()
    low, high = np.maximum(pull - q, 0.0) / 2, np.maximum(pull + q, 0.0) / 2
    sides = sp.csr_array(np.column_stack([low, high]))
    whole = sp.block_array([[off, sides], [sides.T, None]], format="csr")
    return whole, {len(q): 0.0, len(q) + 1: 1.0}


PEERS = (southwell, jacobi_cg, cholmod, pardiso, pyamg, dirichlet, spsolve)
SOLVERS = {solver.__name__: solver for solver in PEERS}
