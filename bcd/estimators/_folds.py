"""What the cross-validating estimators share: folds that never copy X, and whom metadata reach."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.base import is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing


class SplitsSamples:
    """An estimator with ``cv``, whose ``fit`` hands metadata to the splitter."""

    cv: Any

    def get_metadata_routing(self):
        """Return what ``fit`` takes itself and what it hands to the splitter.

        Returns
        -------
        MetadataRouter
        """
        to_split = MethodMapping().add(caller="fit", callee="split")
        router = MetadataRouter(owner=self).add_self_request(self)
        splitter = check_cv(self.cv, classifier=is_classifier(self))
        return router.add(splitter=splitter, method_mapping=to_split)


def split_arguments(estimator, params: dict) -> dict:
    """Return what of the metadata given to ``fit`` is the splitter's.

    Raises
    ------
    ValueError
        If there are metadata and routing is not enabled.
    """
    if not get_config()["enable_metadata_routing"]:
        if params:
            raise ValueError(
                f"fit must be given X, y and sample_weight only, got {', '.join(params)}; "
                "[sample_weight aside, metadata] is only supported if "
                "enable_metadata_routing=True, see sklearn.set_config."
            )
        return {}
    return process_routing(estimator, "fit", **params).splitter.split


def split_samples(estimator, X, y, params: dict, weights=None) -> list:
    """Return the folds as pairs of sample numbers.

    scikit-learn's own splitters look at the length of X only; a sparse X, which they would copy
    into another format, stays at home.

    Parameters
    ----------
    estimator : estimator with ``cv``
    X : {ndarray, sparse array} of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
    params : dict
        Metadata given to ``fit``, for the splitter.
    weights : ndarray of shape (n_samples,), default=None

    Raises
    ------
    ValueError
        If the splitter refuses, there are no folds, a fold holds numbers that are no samples, or
        a part holds no sample of a weight above zero.
    """
    n_samples = X.shape[0]
    arguments = split_arguments(estimator, params)
    try:
        splitter = check_cv(estimator.cv, y, classifier=is_classifier(estimator))
        if type(splitter).__module__.startswith("sklearn."):
            X = np.broadcast_to(0.0, (n_samples, 1))
        folds = list(splitter.split(X, y, **arguments))
    except ValueError as error:
        raise ValueError(f"cv must split the {n_samples} samples: {error}") from error
    if not folds:
        raise ValueError("cv must hold folds, got none.")
    weights = np.ones(n_samples) if weights is None else weights
    for k, fold in enumerate(folds):
        for name, part in zip(("training", "test"), fold, strict=True):
            part = np.asarray(part)
            if part.dtype == np.bool_:
                part = np.flatnonzero(part)
            if part.size and not (-n_samples <= part.min() and part.max() < n_samples):
                raise ValueError(
                    f"cv must hold numbers of samples below {n_samples}, got {part.max()} in the "
                    f"{name} part of fold {k}."
                )
            if not part.size or not weights[part].any():
                raise ValueError(
                    "cv must leave samples of a weight above zero in every training and test part, "
                    f"got none in the {name} part of fold {k}."
                )
    return folds
