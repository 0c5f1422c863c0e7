"""FreeAL as a library: a language model annotates, a small student finds out which answers to trust, both improve.

    import freeal
    result = await freeal.run(frame, {"description": "...", "labels": ["...", "..."]})
    result.frame, result.model.predict(["..."])

Names are loaded on first use, so `import freeal` costs nothing (tests/test_architecture.py). It has threads sleep while
they wait for each other (freeal/compute/cpu_threads.py), which only works before torch is imported.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from freeal.compute import cpu_threads as _cpu_threads

if TYPE_CHECKING:
    from freeal.errors import FreealError
    from freeal.job.run_training_job import Outcome, train
    from freeal.job.training_job import TrainingJob
    from freeal.notebook.round_report import RoundReport
    from freeal.notebook.run_result import RunResult
    from freeal.notebook.start_run import run
    from freeal.notebook.trained_model import Model, Predictions, load
    from freeal.prediction.predict_csv import Classifier, PredictionJob, predict_csv
    from freeal.scikit_learn.classifier import FreeALClassifier
    from freeal.spec.job_spec import Spec

__all__ = [
    "Classifier",
    "FreeALClassifier",
    "FreealError",
    "Model",
    "Outcome",
    "PredictionJob",
    "Predictions",
    "RoundReport",
    "RunResult",
    "Spec",
    "TrainingJob",
    "load",
    "predict_csv",
    "run",
    "train",
]

_HOMES = {
    "Classifier": "prediction.predict_csv",
    "FreeALClassifier": "scikit_learn.classifier",
    "FreealError": "errors",
    "Model": "notebook.trained_model",
    "Outcome": "job.run_training_job",
    "PredictionJob": "prediction.predict_csv",
    "Predictions": "notebook.trained_model",
    "RoundReport": "notebook.round_report",
    "RunResult": "notebook.run_result",
    "Spec": "spec.job_spec",
    "TrainingJob": "job.training_job",
    "load": "notebook.trained_model",
    "predict_csv": "prediction.predict_csv",
    "run": "notebook.start_run",
    "train": "job.run_training_job",
}


_cpu_threads.wait_asleep()


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib import metadata  # pyproject.toml says it, and nothing else does

        return metadata.version("freeal-daemon")
    if name not in _HOMES:
        raise AttributeError(f"module 'freeal' has no attribute {name!r}")
    return getattr(importlib.import_module(f"freeal.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
