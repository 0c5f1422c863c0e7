"""Which folder is meant where somebody names a model: all that show, predict and correct are given means the same one.

models/reviews                  the model, as the service keeps it
models/reviews/versions/<job>   one of its versions
models/reviews/model            the classifier itself, and versions/<job>/model
sentiment_model                 the classifier `train` wrote; the rest lies in sentiment_model-results
"""

from __future__ import annotations

from pathlib import Path

CLASSIFIER_CARD = "freeal.json"
METRICS = "metrics.json"


def classifier_folder(folder: Path) -> Path:
    """The folder with the classifier's weights; `folder` itself where none is found."""
    inside = (folder, folder / "model")
    return next((place for place in inside if (place / CLASSIFIER_CARD).is_file()), folder)


def results_folder(folder: Path) -> Path:
    """The folder with metrics.json; `folder` itself where none is found."""
    whole = folder.resolve()
    places = (folder, whole.parent, whole.parent / f"{whole.name}-results")
    of_classifier = places if (folder / CLASSIFIER_CARD).is_file() else places[:1]
    return next((place for place in of_classifier if (place / METRICS).is_file()), folder)
