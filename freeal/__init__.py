"""FreeAL as a library: a language model annotates, a small student finds out which answers to trust, both improve.

    import anyio, freeal
    outcome = anyio.run(freeal.train, freeal.TrainingJob(...))

Names are loaded on first use, so `import freeal` costs nothing (tests/test_architecture.py). It has threads sleep while
they wait for each other (freeal/compute/cpu_threads.py), which only works before torch is imported.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from freeal.compute import cpu_threads as _cpu_threads

if TYPE_CHECKING:
    from freeal.errors import FreealError
    from freeal.job.training_job import Outcome, TrainingJob, train
    from freeal.prediction.predict_csv import Classifier, PredictionJob, predict_csv
    from freeal.spec.job_spec import Spec

__all__ = ["Classifier", "FreealError", "Outcome", "PredictionJob", "Spec", "TrainingJob", "predict_csv", "train"]

_HOMES = {
    "Classifier": "prediction.predict_csv",
    "FreealError": "errors",
    "Outcome": "job.training_job",
    "PredictionJob": "prediction.predict_csv",
    "Spec": "spec.job_spec",
    "TrainingJob": "job.training_job",
    "predict_csv": "prediction.predict_csv",
    "train": "job.training_job",
}


_cpu_threads.wait_asleep()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'freeal' has no attribute {name!r}")
    return getattr(importlib.import_module(f"freeal.{_HOMES[name]}"), name)
