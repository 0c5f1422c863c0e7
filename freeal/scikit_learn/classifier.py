"""`FreeALClassifier`: a classifier of texts that is fitted without labels, for pipelines and cross-validation."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted

from freeal.aggregation import label_choice
from freeal.errors import ConfigError, Where
from freeal.notebook.start_run import OnRound, as_spec, run
from freeal.scikit_learn import estimator_input
from freeal.spec.job_spec import Spec
from freeal.student.sklearn_trainer import SklearnTrainer
from freeal.table import free_name

DESCRIPTION = "Choose the label that fits the text best."


class FreeALClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """A classifier of texts whose `fit` needs no labels: a language model annotates, a student learns.

    `spec` is what `freeal.run` takes; without one, `y` names the labels. `label_use` says what `y` is for where it is
    given: `evaluate` measures the rounds and is never shown or learned from, `teach` gives it to demonstrations and
    student, `split` half of it. `folder` keeps the results of the last fit; without one only the model stays. `llm`,
    `student`, `loop`, `api_key` and `on_round` are those of `freeal.run`; a `student` that is a scikit-learn classifier
    gets what it requests of `fit`'s metadata (of equal texts, that of the first).

    Fitted: `classes_` (sorted), `labels_` (the final label of each row given to `fit`, "" where there is none),
    `rounds_`, `metrics_` (metrics.json) and `model_` (`freeal.Model`).
    """

    def __init__(
        self,
        spec: Spec | Mapping[str, Any] | str | Path | None = None,
        *,
        label_use: Literal["evaluate", "teach", "split"] = "evaluate",
        folder: str | Path | None = None,
        llm: Any = None,
        student: Any = None,
        loop: Mapping[str, Any] | None = None,
        api_key: str | None = None,
        on_round: OnRound | None = None,
    ) -> None:
        self.spec = spec
        self.label_use = label_use
        self.folder = folder
        self.llm = llm
        self.student = student
        self.loop = loop
        self.api_key = api_key
        self.on_round = on_round

    def fit(self, X: Any, y: Any = None, *, paraphrases: Any = None, **fit_params: Any) -> FreeALClassifier:  # noqa: N803
        """Annotate and train on texts (a list, 1-D array or Series) or on rows of columns (a frame or 2-D array).

        `y` are true labels; `paraphrases` each row in other words, for a student that is fine-tuned. Raises
        `ValueError` for what no scikit-learn estimator takes, and what `freeal.run` raises.
        """
        frame = estimator_input.rows_of(self, X, reset=True)
        truth = None if y is None else estimator_input.true_labels(y, rows=len(frame))
        spec, self.classes_ = self._spec_and_truth(truth)
        if spec.kind == "multi":
            raise ConfigError(
                "kind: multi gives several labels to a text; a scikit-learn classifier gives one",
                where=Where(key="kind"),
                hint="freeal.run(frame, spec) gives them, with `freeal_labels` and a probability of each",
            )
        self._columns_ = spec.text_columns or tuple(str(name) for name in frame.columns)
        student = self._student(fit_params, estimator_input.row_texts(frame, self._columns_))
        spec = spec.model_copy(update={"text_columns": self._columns_})
        if truth is not None:
            frame, spec = _with_column(frame, spec, "label_column", [str(value) for value in truth.tolist()])
            spec = spec.model_copy(update={"label_use": self.label_use})
        if paraphrases is not None:
            frame, spec = _with_column(frame, spec, "paraphrase_column", list(paraphrases))
        with self._results_folder() as folder:
            result = run(
                frame,
                spec,
                folder=folder,
                llm=self.llm,
                student=student,
                loop=self.loop,
                api_key=self.api_key,
                on_round=self.on_round,
            ).wait()
            self.model_ = result.model
            labels = result.frame["freeal_label"]
        self.labels_ = np.array([label if isinstance(label, str) else "" for label in labels], dtype=object)
        self._order_ = [self.model_.classes.index(str(name)) for name in self.classes_.tolist()]
        counts = np.array([result.label_counts.get(name, 0) for name in self.model_.classes], dtype=np.float64) + 1.0
        self._shares_ = counts / counts.sum()
        self.rounds_, self.metrics_ = result.rounds, result.metrics
        return self

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Probabilities, float64 [rows, classes]; a row without text has the shares of the labels in `fit`."""
        return np.asarray(self._proba(X)[:, self._order_])

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """The class of each row: the likeliest, or of labels in an order the one with the least expected distance."""
        chosen = label_choice.chosen_positions(self._proba(X), self.model_.kind)
        place = np.empty(len(self._order_), dtype=np.int64)
        place[self._order_] = np.arange(len(self._order_))
        return np.asarray(self.classes_[place[chosen]])

    def _proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Probabilities in the order of the model's labels, which `classes_` sorts."""
        check_is_fitted(self)
        frame = estimator_input.rows_of(self, X, reset=False)
        proba = self.model_.predict_proba(estimator_input.row_texts(frame, self._columns_))
        found = np.where(np.isnan(proba), self._shares_, proba.astype(np.float64))
        return np.asarray(found / found.sum(axis=1, keepdims=True))

    def get_metadata_routing(self) -> MetadataRouter:
        """`fit` takes `paraphrases` itself, and hands on what a student of scikit-learn requests."""
        router = MetadataRouter(owner=type(self).__name__).add_self_request(self)
        if _is_estimator(self.student):
            router.add(student=self.student, method_mapping=MethodMapping().add(caller="fit", callee="fit"))
        return router

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # one dimension is taken too, of texts; with its tag set the checks would hand over numbers in one dimension
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.input_tags.allow_nan = True
        tags.target_tags.required = False
        return tags

    def _spec_and_truth(self, truth: np.ndarray | None) -> tuple[Spec, np.ndarray]:
        if self.spec is not None:
            spec = as_spec(self.spec)
            return spec, np.unique(np.array(list(spec.labels), dtype=object))
        if truth is None:
            raise ValueError("labels are not known: give a spec, or y to take their names from")
        classes = np.unique(truth)
        if len(classes) < 2:
            raise ValueError(f"Classifier can't train when only one class is present: {classes.tolist()}")
        names = [str(value) for value in classes.tolist()]
        return Spec(name="model", description=DESCRIPTION, labels=names), classes

    def _student(self, fit_params: Mapping[str, Any], texts: list[str]) -> Any:
        if not _is_estimator(self.student):
            if fit_params:
                raise TypeError(f"fit() got an unexpected keyword argument {next(iter(fit_params))!r}")
            return self.student
        if fit_params and not sklearn.get_config()["enable_metadata_routing"]:
            problem = f"{', '.join(fit_params)}: metadata for the student needs metadata routing"
            raise ValueError(
                f"{problem}: sklearn.set_config(enable_metadata_routing=True), and student.set_fit_request"
            )
        routed = process_routing(self, "fit", **fit_params)["student"]["fit"] if fit_params else {}
        return SklearnTrainer(
            self.student,
            metadata={
                name: dict(zip(reversed(texts), reversed(list(values)), strict=True)) for name, values in routed.items()
            },
        )

    @contextlib.contextmanager
    def _results_folder(self) -> Iterator[Path]:
        if self.folder is not None:
            yield Path(self.folder)
            return
        with tempfile.TemporaryDirectory(prefix="freeal-") as folder:
            yield Path(folder)


def _is_estimator(student: Any) -> bool:
    return isinstance(student, BaseEstimator) and not hasattr(student, "embed")


def _with_column(frame: pd.DataFrame, spec: Spec, role: str, values: list[Any]) -> tuple[pd.DataFrame, Spec]:
    name = free_name(role, [str(column) for column in frame.columns])
    return frame.assign(**{name: values}), spec.model_copy(update={role: name})
