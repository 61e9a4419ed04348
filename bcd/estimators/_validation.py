"""What the estimators check before any work, and the sentences in which they refuse."""

from __future__ import annotations

import contextlib
import numbers

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_random_state
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import check_array, check_X_y, validate_data

from bcd.design import OVERFLOW
from problems.linear import check_real

FLOATS = [np.float64, np.float32]
LARGEST = 1e150  # numbers from here on cannot be squared and summed


def check_number(name: str, value, low: float, high: float = np.inf, *, above: bool = False):
    """Raise unless ``value`` is a finite real number from ``low`` (or above it) to ``high``."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be a real number, got {value!r}.")
    try:
        number = float(value)
    except OverflowError:  # an integer too large for one
        number = -np.inf if value < 0 else np.inf
    inside = (low < number if above else low <= number) and number <= high and np.isfinite(number)
    if not inside:
        start = f"above {low:g}" if above else f"at least {low:g}"
        end = "" if high == np.inf else f" and at most {high:g}"
        end = " and finite" if number == high == np.inf else end
        if low == -np.inf == -high:
            start, end = "finite", ""
        raise ValueError(f"{name} must be {start}{end}, got {value!r}.")


def check_count(name: str, value):
    """Raise unless ``value`` is an integer of at least one."""
    check_whole(name, value, 1)


def check_whole(name: str, value, low: int):
    """Raise unless ``value`` is an integer from ``low``."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool | np.bool_) or value < low:
        raise ValueError(f"{name} must be an integer of at least {low}, got {value!r}.")


def check_flag(name: str, value):
    """Raise unless ``value`` is a truth value."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r}.")


def check_seed(value):
    """Raise unless ``value`` can be a ``random_state``."""
    if isinstance(value, np.random.Generator):
        return
    try:
        check_random_state(value)
    except ValueError:
        raise ValueError(
            "random_state must be None, an integer from 0 to 2**32 - 1 or a numpy generator, "
            f"got {value!r}."
        ) from None


def check_precompute(value):
    """Raise unless ``value`` is what scikit-learn takes for ``precompute``."""
    if isinstance(value, bool | np.bool_) or (isinstance(value, str) and value == "auto"):
        return
    if np.asarray(value).ndim != 2:
        raise ValueError(f"precompute must be True, False, 'auto' or a Gram matrix, got {value!r}.")


def check_jobs(value):
    """Raise unless ``value`` is a number of jobs as joblib counts them."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool | np.bool_)
    if not whole or value == 0:
        raise ValueError(f"n_jobs must be None or an integer other than 0, got {value!r}.")


def check_choice(name: str, value, known):
    """Raise unless ``value`` is one of the names in ``known``, which are listed."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} must be one of {', '.join(sorted(known))}, got {value!r}.")


def read_data(estimator, X, y, *, sums_follow: bool = False):
    """Read X (dense, or compressed by columns) and y; float32 stays, everything else is float64.

    X is copied only where it must be: another number type, or a layout that is neither C nor
    Fortran contiguous, nor compressed sparse column. Where ``sums_follow``, the caller sums the
    squares of each column anyway: those show what is not finite, and :func:`refuse_not_finite`
    says what it is.
    """
    if _is_plain(X, y, sums_follow) and y.dtype == np.float64:
        return _taken_as_is(estimator, X, y)
    return read_samples(estimator, X, y, multi_output=True, y_numeric=True)


def read_samples(estimator, X, y, **checks):
    """Read X (dense, or compressed by columns, float32 or float64) and y as ``validate_data`` does.

    X is copied only where ``read_data`` copies it.
    """
    if "multi_output" not in checks and _is_plain(X, y, False):
        return _taken_as_is(estimator, X, y)
    with naming_places(X, y):
        X, y = validate_data(
            estimator, X, y, accept_sparse="csc", dtype=FLOATS, accept_large_sparse=True, **checks
        )
        if checks.get("y_numeric"):
            y = np.asarray(y, dtype=np.float64)
    return _in_columns(X), y


@contextlib.contextmanager
def naming_places(X, y):
    """Add to scikit-learn's errors about X and y where what is wrong is, or what was given."""
    try:
        yield
    except (ValueError, TypeError) as error:
        for name, data in (("X", X), ("y", y)):
            where = _first_not_finite(data) if f"Input {name} contains" in str(error) else ""
            if where:
                raise ValueError(f"{error}\n{name} must be finite, got {where}.") from error
        kind = ValueError if isinstance(error, ValueError) else TypeError
        raise kind(f"{error}\nX was {_seen(X)}, y was {_seen(y)}.") from error


def _seen(data) -> str:
    """Say what data are: their type, shape and number type, and the first that is no number."""
    found = f"of type {type(data).__name__}"
    if not hasattr(data, "shape"):
        return found
    found = f"{found} and shape {tuple(data.shape)}"
    values = np.asarray(data) if not sp.issparse(data) else data
    for place in np.ndindex(values.shape) if values.dtype.kind in "OUST" else ():
        try:
            float(values[place])
        except (TypeError, ValueError, OverflowError):
            at = f"row {place[0]}, column {place[1]}" if len(place) == 2 else f"{place}"
            return f"{found} with {values[place]!r} in {at}"
    return f"{found} of {values.dtype}"


def refuse_not_finite(estimator, X, y):
    """Raise for X or y whose squares do not sum up to finite numbers."""
    read_samples(estimator, X, y, multi_output=True, y_numeric=True)
    raise ValueError(OVERFLOW)


def _taken_as_is(estimator, X, y):
    """Note the number of features: what is in order already is not looked at for long."""
    estimator.n_features_in_ = X.shape[1]
    if hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_
    return X, y


def _is_plain(X, y, sums_follow: bool) -> bool:
    """Tell whether X and y are finite arrays of numbers, of the layouts and shapes wanted."""
    if type(y) is not np.ndarray or y.dtype.kind not in "iuf" or y.ndim != 1:
        return False
    if type(X) is np.ndarray:
        contiguous = X.flags.c_contiguous or X.flags.f_contiguous
        values, in_order = X, X.ndim == 2 and contiguous and X.size > 0
    elif type(X) in (sp.csc_matrix, sp.csc_array):
        values, in_order = X.data, bool(X.has_canonical_format) and min(X.shape) > 0
    else:
        return False
    if not in_order or X.dtype not in FLOATS or X.shape[0] != len(y):
        return False
    if sums_follow:
        return True
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum()) and np.isfinite(y.sum()))


def _in_columns(X):
    if sp.issparse(X):
        if not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()
    elif not (X.flags.c_contiguous or X.flags.f_contiguous):
        X = np.asfortranarray(X)
    return X


def read_arrays(X, y, multi_output: bool = False):
    """Read X and one target y, or many, for functions, as ``read_data`` does for estimators."""
    with naming_places(X, y):
        X, y = check_X_y(
            X,
            y,
            accept_sparse="csc",
            dtype=FLOATS,
            accept_large_sparse=True,
            multi_output=multi_output,
            y_numeric=True,
        )
        y = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
    return _in_columns(X), y


def _first_not_finite(X) -> str:
    if sp.issparse(X):
        entries = X.tocoo()
        stored = np.flatnonzero(~np.isfinite(entries.data))
        if len(stored):
            k = stored[0]
            return f"{entries.data[k]} in row {entries.row[k]}, column {entries.col[k]}"
        return ""
    values = np.asarray(X)
    if values.ndim not in (1, 2) or values.dtype.kind != "f":
        return ""
    bad = np.argwhere(~np.isfinite(values))
    if values.ndim == 1:
        return f"{values[bad[0][0]]} at sample {bad[0][0]}" if len(bad) else ""
    return f"{values[tuple(bad[0])]} in row {bad[0][0]}, column {bad[0][1]}" if len(bad) else ""


def read_weights(sample_weight, n_samples: int):
    """Return sample weights scaled to the sum ``n_samples``, or None where all are alike."""
    if sample_weight is None:
        return None
    weights = read_sample_weight(sample_weight, n_samples)
    if isinstance(sample_weight, numbers.Number):
        return None
    return weights * (n_samples / weights.sum())


def read_sample_weight(sample_weight, n_samples: int):
    """Return one weight a sample, as they are; ones where none were given."""
    if sample_weight is None:
        return np.ones(n_samples)
    if isinstance(sample_weight, numbers.Number):
        sample_weight = np.full(n_samples, sample_weight, dtype=np.float64)
    try:
        weights = check_array(
            sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
        )
    except (ValueError, TypeError) as error:
        if "sample_weight" in str(error):
            raise
        raise TypeError(f"sample_weight must be real numbers: {error}") from error
    if weights.shape != (n_samples,):
        raise ValueError(
            f"sample_weight.shape must be ({n_samples},), one weight a sample, got {weights.shape}."
        )
    if (weights < 0).any():
        i = np.flatnonzero(weights < 0)[0]
        raise ValueError(f"sample_weight must not be negative, got {weights[i]} at sample {i}.")
    refuse_infinite("sample_weight", weights)
    if weights.sum() <= 0:
        raise ValueError("sample_weight must have a sum above zero, got zeros only.")
    return weights


def read_penalty_factor(penalty_factor, n_features: int):
    """Return the features' own multiples of the penalty, or None where all are one."""
    if penalty_factor is None:
        return None
    check_real("penalty_factor", penalty_factor)
    factor = np.asarray(penalty_factor, dtype=np.float64)
    if factor.shape != (n_features,):
        raise ValueError(
            f"penalty_factor.shape must be ({n_features},), one factor a feature, got "
            f"{factor.shape}."
        )
    bad = np.flatnonzero(~((factor >= 0.0) & np.isfinite(factor)))
    if len(bad):
        raise ValueError(
            f"penalty_factor must be finite and not negative, got {factor[bad[0]]} at feature "
            f"{bad[0]}."
        )
    if not factor.any():
        raise ValueError("penalty_factor must have an entry above zero, got zeros only.")
    return factor


def penalty_factors(penalty_factor, n_features: int):
    """Return one multiple of the penalty a feature; ones where none were given."""
    factor = read_penalty_factor(penalty_factor, n_features)
    return np.ones(n_features) if factor is None else factor


def split_penalty(penalty_factor, n_features: int, strength: float, l1_ratio: float):
    """Return each feature's l1 and l2 penalty."""
    factor = penalty_factors(penalty_factor, n_features)
    return factor * (strength * l1_ratio), factor * (strength * (1.0 - l1_ratio))


def check_class_weight(class_weight) -> None:
    """Raise unless it is None, ``"balanced"`` or a dict of finite numbers, not negative."""
    named = class_weight is None or (isinstance(class_weight, str) and class_weight == "balanced")
    if not named and not isinstance(class_weight, dict):
        raise ValueError(f"class_weight must be a dict, 'balanced' or None, got {class_weight!r}.")
    if isinstance(class_weight, dict):
        for label, value in class_weight.items():
            check_number(f"class_weight[{label!r}]", value, 0.0)


def refuse_infinite(names: str, values) -> None:
    """Raise where a sum of factors, each finite, is not."""
    with np.errstate(over="ignore"):
        total = np.sum(values)
    if not np.isfinite(total):
        raise ValueError(f"{names} must have a finite sum, got {total}; make them smaller.")


def refuse_large_penalties(names: str, *factors) -> None:
    """Raise where a product of factors is so large that its square overflows."""
    with np.errstate(over="ignore"):
        largest = float(np.prod([np.max(factor) for factor in factors]))
    if not largest < LARGEST:
        raise ValueError(
            f"{names} must give penalties below {LARGEST:g}, got {largest:g}; at far smaller ones "
            "all coefficients are zero."
        )


def read_costs(C: float, class_weight, sample_weight, y):
    """Return C times each sample's weight and its class's weight, some of them above zero."""
    cost = np.full(len(y), float(C))
    if isinstance(sample_weight, numbers.Real):
        check_number("sample_weight", sample_weight, 0.0, above=True)
        cost *= float(sample_weight)
    elif read_weights(sample_weight, len(y)) is not None:  # its scale is not to be changed here
        cost *= np.asarray(sample_weight, dtype=np.float64)
    check_class_weight(class_weight)
    if class_weight is not None:
        classes = np.unique(y)
        factors = compute_class_weight(class_weight, classes=classes, y=y)
        cost *= factors[np.searchsorted(classes, y)]
    if not (cost > 0.0).any():
        raise ValueError(
            "class_weight and sample_weight must leave samples with a weight above zero, got none."
        )
    if not cost.max() < LARGEST:
        raise ValueError(
            f"C times class_weight and sample_weight must be below {LARGEST:g}, got {cost.max():g}."
        )
    return cost
