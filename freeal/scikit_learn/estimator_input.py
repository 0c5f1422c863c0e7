"""What scikit-learn hands an estimator, as rows of texts and their true labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d, validate_data

from freeal.notebook import input_table
from freeal.text.row_text import row_text


def rows_of(estimator: Any, X: Any, *, reset: bool) -> pd.DataFrame:  # noqa: N803 - scikit-learn's name
    """Texts as a frame of one column, or rows of columns as they are; `reset` where they are those of `fit`, which
    `estimator` remembers. Raises `ValueError` and `TypeError` as scikit-learn's own checks do."""
    if _holds_texts(X):
        if reset:
            estimator.n_features_in_ = 1
        return input_table.as_frame(X, text_column=input_table.TEXT_COLUMN).reset_index(drop=True)
    checked = validate_data(estimator, X, reset=reset, dtype=None, ensure_all_finite="allow-nan")
    if isinstance(X, pd.DataFrame):
        return X.reset_index(drop=True)
    return pd.DataFrame(checked, columns=[f"x{place}" for place in range(checked.shape[1])])


def _holds_texts(X: Any) -> bool:  # noqa: N803
    """Whether it is a list, Series or array of one dimension of which each is a text or missing, and one a text."""
    if not isinstance(X, list | tuple | pd.Series) and not (isinstance(X, np.ndarray) and X.ndim == 1):
        return False
    texts = [one for one in X if isinstance(one, str)]
    return bool(texts) and all(isinstance(one, str) or input_table.is_missing(one) for one in X)


def row_texts(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Each row as the one text the models see."""
    return [row_text(columns, cells) for cells in input_table.column_cells(frame, columns)]


def true_labels(y: Any, *, rows: int) -> np.ndarray:
    """`y` as an array of one value per row. Raises `ValueError` for what are no classes."""
    found = np.asarray(column_or_1d(y, warn=True))
    if len(found) != rows:
        raise ValueError(f"Found input variables with inconsistent numbers of samples: [{rows}, {len(found)}]")
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        raise ValueError("Input y contains NaN or infinity.")
    check_classification_targets(found)
    return found
