"""Gap-safe screening against the sphere it stands for, computed here from its definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcd.design import make_design
from bcd.duality import certify
from bcd.screening import screen
from bcd.separable import separable

pytestmark = pytest.mark.kernel


@given(st.integers(0, 10**6), st.floats(0.0, 1.0), st.sampled_from([0.0, 0.3]), st.booleans())
def test_what_stays_is_what_the_sphere_around_the_dual_point_cannot_rule_out(
    seed, near, l2, positive
):
    rng = np.random.default_rng(seed)
    n, p = 12, 30
    A, b = rng.standard_normal((n, p)), rng.standard_normal(n)
    l1 = 0.6 * np.abs(A.T @ b).max() * rng.uniform(0.8, 1.2, p)
    x = np.zeros(p)
    for _ in range(int(30 * near)):  # from far to near the minimum
        for j in range(p):
            pull = A[:, j] @ (b - A @ x) + (A[:, j] @ A[:, j]) * x[j]
            shrunk = np.sign(pull) * max(abs(pull) - l1[j], 0.0)
            x[j] = shrunk / (A[:, j] @ A[:, j] + l2)
            x[j] = max(x[j], 0.0) if positive else x[j]
    r = b - A @ x
    c, squares = A.T @ r, (A**2).sum(axis=0)
    design, penalty = (
        make_design(np.asfortranarray(A), np.empty(0)),
        separable(l1, l2, positive=positive),
    )
    certificate = certify(b, r, c, x, penalty, design.squares)

    below = np.sqrt(l2) * np.eye(p)  # rows below A that stand for the ridge term
    whole, target = np.vstack([A, below]), np.concatenate([b, np.zeros(p)])
    point = certificate.scale * (target - whole @ x)
    primal = 0.5 * np.sum((target - whole @ x) ** 2) + l1 @ np.abs(x)
    dual = 0.5 * target @ target - 0.5 * np.sum((target - point) ** 2)
    pull = whole.T @ point
    excess = pull if positive else np.abs(pull)
    assert (excess <= l1 * (1.0 + 1e-9)).all()  # the point is feasible
    assert certificate.scaled_gap == pytest.approx(max(primal - dual, 0.0), abs=1e-9 * primal)
    reach = np.sqrt(2.0 * certificate.scaled_gap) * np.linalg.norm(whole, axis=0)
    may_enter = excess + reach >= l1

    kept, pulls = screen(
        certificate, np.arange(p, dtype=np.int32), c.copy(), x, penalty, squares, np.zeros(p, bool)
    )
    sure = np.abs(excess + reach - l1) > 1e-9 * l1
    expected = np.flatnonzero((may_enter | (x != 0.0)) & sure)
    assert set(expected) <= set(kept.tolist()) <= set(expected) | set(np.flatnonzero(~sure))
    np.testing.assert_array_equal(pulls, c[kept])
