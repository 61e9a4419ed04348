"""Why an estimator lacks a feature that others have."""

from __future__ import annotations

MANY = "MultiTaskLasso, MultiTaskElasticNet"
GROUPED = "GroupLasso, SparseGroupLasso, GroupLogisticRegression"
KERNEL = "A kernel's feature space has no coefficients of the features."
DUAL = (
    "The machine is solved in its dual, of one variable a sample, where all features are penalised "
    "alike; to penalise one f times as much, divide its column by the root of f."
)
ROWS = (
    "The penalty is of a feature's row over all targets; with bounds the step on a row has no "
    "closed form."
)
FIXED = "It is fixed: another estimator of the table has the parameter."
MARGIN = "C is a finite weight of the losses; without a penalty there need not be a minimum."
REASONS: dict[str, dict[str, str]] = {
    "float32 kept": {
        "SVC": "Kernel values and dual coefficients are float64, as scikit-learn's are.",
    },
    "memory map without a copy": {
        "LinearSVC": "Its Newton steps gather the rows of the samples within the margin.",
        "SVC": "X itself is not copied, but the kernel matrix is larger than X.",
    },
    "intercept not penalised": {
        "LinearSVC": "As liblinear's, and so scikit-learn's, its intercept is penalised; "
        "`intercept_scaling` tells how much.",
    },
    "`penalty_factor`": {
        "GroupLasso": "`weights`, one factor a group, 0 allowed, take their place.",
        "NonNegativeLeastSquares": "There is no penalty.",
        "LinearSVC": DUAL,
        "SVC": KERNEL,
    },
    "`bounds`": {
        MANY: ROWS,
        GROUPED: "`positive` is there; with other bounds the step on a group has no closed form.",
        "LinearSVC": DUAL,
        "SVC": KERNEL,
    },
    "no penalty": {
        "LinearSVC, SVC": MARGIN,
        "GroupLogisticRegression": "C must be finite; LogisticRegression(C=np.inf) is the model "
        "without a penalty.",
    },
    "`l1_ratio=0`": {
        "Lasso, LassoCV, MultiTaskLasso, NonNegativeLeastSquares, GroupLasso": FIXED,
        "LinearSVC, SVC": "Their penalties have names: `penalty`.",
    },
    "signs": {
        MANY: ROWS,
        "LinearSVC": DUAL,
        "SVC": KERNEL,
    },
}


def why_not(feature: str, name: str) -> str | None:
    """Return why an estimator lacks a feature, None where it has it."""
    for names, reason in REASONS.get(feature, {}).items():
        if name in names.split(", "):
            return reason
    return None
