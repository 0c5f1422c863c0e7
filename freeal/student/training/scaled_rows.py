"""Rows of a feature matrix as a linear head wants them, without a second matrix: what is looked at is scaled, the rest
stays where it lies."""

from __future__ import annotations

import numpy as np

from freeal.compute import scratch_arrays

MOST_MEASURED = 20_000


class ScaledRows:
    """`features` [n, d] of any float type, of which `rows` int [m] (None: all), divided by `scale`; looked at as
    float32 [k, d]."""

    def __init__(self, features: np.ndarray, rows: np.ndarray | None, scale: float) -> None:
        self._features, self._scale = features, scale
        self._rows = None if rows is None or len(rows) == len(features) else rows
        self.shape = (len(features) if rows is None else len(rows), features.shape[1])

    @classmethod
    def of_unit_variance(cls, features: np.ndarray, rows: np.ndarray) -> ScaledRows:
        """Scaled by the spread of all values of these rows; of `MOST_MEASURED` rows taken evenly where there are more,
        which is off by less than a hundredth of a per cent."""
        measured = rows[:: max(1, -(-len(rows) // MOST_MEASURED))]
        scale = float(scratch_arrays.widened(features[measured]).std()) or 1.0
        return cls(features, rows, scale)

    @property
    def scale(self) -> float:
        """What the features are divided by."""
        return self._scale

    def of_all(self) -> ScaledRows:
        """Every row of the matrix, scaled alike."""
        return ScaledRows(self._features, None, self._scale)

    def __getitem__(self, chosen: np.ndarray | slice) -> np.ndarray:
        """Those rows (bool [m], int [k] or a slice)."""
        rows = chosen if self._rows is None else self._rows[chosen]
        looked_at = scratch_arrays.widened(self._features[rows])
        if isinstance(rows, slice) and looked_at.dtype == self._features.dtype:
            return np.asarray(looked_at / self._scale)  # it is the matrix itself
        looked_at /= self._scale  # of 100,000 texts a second array would be half a gigabyte
        return looked_at
