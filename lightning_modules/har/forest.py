"""FeatureForest: a random forest on classical features, the field's reference beside the networks.

Breiman 2001, Random forests, doi 10.1023/A:1010933404324, through scikit-learn; features of
:mod:`lightning_modules.har.features`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from datamodules.har.windows.window_set import WindowSet
from lightning_modules.har.features import extract_features


class FeatureForest:
    """A random forest with balanced class weights.

    Args:
        num_trees: trees in the forest.
        min_leaf: least windows in a leaf.
        seed: decides samples and splits.

    Raises:
        ValueError: ``num_trees`` or ``min_leaf`` is below one.
    """

    def __init__(self, *, num_trees: int = 200, min_leaf: int = 1, seed: int = 0) -> None:
        for name, value in (("num_trees", num_trees), ("min_leaf", min_leaf)):
            if value < 1:
                raise ValueError(f"{name} is {value}, expected at least 1")
        self._forest = RandomForestClassifier(
            n_estimators=num_trees,
            min_samples_leaf=min_leaf,
            class_weight="balanced",
            random_state=seed,
            n_jobs=1,
        )
        self._trained_on: WindowSet | None = None

    def fit(self, windows: WindowSet) -> FeatureForest:
        """Grow the forest on raw (not normalised) windows.

        Raises:
            ValueError: there is no window.
        """
        if len(windows) == 0:
            raise ValueError("no window to grow a forest on, expected some of at least one class")
        features, _ = extract_features(windows)
        self._forest.fit(features, windows.labels)
        self._trained_on = windows.select(np.zeros(len(windows), dtype=np.bool_))
        return self

    def predict(self, windows: WindowSet) -> NDArray[np.int64]:
        """Class index of each raw window ``(N,)``.

        Raises:
            ValueError: the forest is not grown, or the windows are not like those it was grown on.
        """
        if self._trained_on is None:
            raise ValueError("the forest has not been grown; call fit first")
        self._trained_on.check_compatible(windows)
        if len(windows) == 0:
            return np.zeros(0, dtype=np.int64)
        features, _ = extract_features(windows)
        return np.asarray(self._forest.predict(features), dtype=np.int64)
