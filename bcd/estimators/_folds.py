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


def split_samples(splitter, X, y, arguments: dict) -> list:
    """Return the folds as pairs of sample numbers.

    scikit-learn's own splitters look at the length of X only; a sparse X, which they would copy
    into another format, stays at home.
    """
    if type(splitter).__module__.startswith("sklearn."):
        X = np.broadcast_to(0.0, (X.shape[0], 1))
    return list(splitter.split(X, y, **arguments))
