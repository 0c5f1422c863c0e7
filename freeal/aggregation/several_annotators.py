"""What several language models say about the same texts, as one probability per label.

Side by side, each model's posterior counts alike: a linear opinion pool. Language models err alike (their errors
correlate 0.35 to 0.68), so their likelihoods are not multiplied: five recorded 7-9B models on TREC, two draws of 800
rows, pairs of them: right 61.3 % pooled, 59.7 % multiplied, calibration error 17 and 34 points; all five 69.5 and 65.5.

In a cascade the later one was asked because it is believed, about what those before it left open; its answer stands.
Between the two, an error estimated from the answers themselves did worse than that: what both models take for the
truth looks right (ten pairs, the better of each asked about 83 % of the texts: 62.0 % right, against 59.6 with
estimated errors by class and 60.4 with one for all, the better one alone 62.9). The later answers also tell how far the
earlier confidence can be believed: whom to ask depends on that confidence alone, so the answers of those asked are a
fair sample at each level of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np

from freeal.aggregation.label_posterior import Evidence, LabelPosterior, label_posterior
from freeal.aggregation.tree_nodes import within_branches
from freeal.student.protocols import NO_LABEL
from freeal.types import Annotation

LAST_DOUBT = 1 / 3
"""Of a later answer, what is left to the voices before it: of the texts on which two models differ, the better one is
wrong in about a third."""
_SHIFT_SPREAD, _SCALE_SPREAD = 1.0, 0.5
"""Standard deviations of the priors of shift and of the logarithm of scale: few answers do not move a confidence."""
_SUREST = 1e-3

Use = Literal["cascade", "side_by_side"]


@dataclasses.dataclass(frozen=True, slots=True)
class SeveralVoices:
    """The evidence of each language model, in the order in which they are asked; what a person said is in all."""

    voices: tuple[Evidence, ...]
    use: Use

    @property
    def named_only(self) -> np.ndarray:
        """Which texts one of them gave a label without probabilities, bool [n]."""
        return np.asarray(np.any([voice.named_only for voice in self.voices], axis=0))

    def posterior(self, logits: np.ndarray, *, cautious: bool = True) -> LabelPosterior:
        """All weighed together with the student's out-of-fold `logits` [n, labels]; the transition is the last's."""
        each = [label_posterior(voice, logits, cautious=cautious) for voice in self.voices]
        weigh = _cascade_of_annotators if self.use == "cascade" else _mean_of_annotators
        proba = weigh(self.voices, [one.proba for one in each])
        confirmed = self.voices[0].confirmed
        told = confirmed != NO_LABEL
        proba[told] = np.eye(logits.shape[1])[confirmed[told]]
        return dataclasses.replace(each[-1], proba=proba)

    def targets(self, logits: np.ndarray) -> np.ndarray:
        """What a student is to be taught, float [n, labels]: the same, but not cautious."""
        return self.posterior(logits, cautious=False).proba

    def part(self, rows: np.ndarray) -> SeveralVoices:
        """What is said about the texts at `rows`, int [m], alone."""
        return SeveralVoices(tuple(voice.part(rows) for voice in self.voices), self.use)


def estimated_errors(evidence: Evidence | SeveralVoices, logits: np.ndarray) -> list[float]:
    """How often each language model is wrong about the texts it answered, by what all voices say together; in order."""
    joint = evidence.posterior(logits)
    voices = evidence.voices if isinstance(evidence, SeveralVoices) else (evidence,)
    found = []
    for voice in voices:
        answered = voice.label_ids != NO_LABEL
        right = joint.of(voice.label_ids)[answered]
        found.append(float(1.0 - right.mean()) if answered.any() else float("nan"))
    return found


def _mean_of_annotators(voices: Sequence[Evidence], each: Sequence[np.ndarray]) -> np.ndarray:
    """The mean over those that answered; over all where none did."""
    answered = np.stack([voice.answered for voice in voices]).astype(np.float64)
    answered[:, answered.sum(axis=0) == 0] = 1.0
    weighed = (answered[:, :, None] * np.stack(each)).sum(axis=0)
    return np.asarray(weighed / answered.sum(axis=0)[:, None])


def _cascade_of_annotators(voices: Sequence[Evidence], each: Sequence[np.ndarray]) -> np.ndarray:
    proba = each[0]
    for voice in voices[1:]:
        if voice.open_branches is not None:
            proba = within_branches(proba, voice.open_branches)
        answered = np.flatnonzero(voice.label_ids != NO_LABEL)
        if not len(answered):
            continue
        said = np.array(voice.distributions[answered])
        plain = said.sum(axis=1) == 0.0
        said[plain] = np.eye(proba.shape[1])[voice.label_ids[answered[plain]]]
        proba = as_sure_as_it_agrees(proba, answered, voice.label_ids[answered])
        proba[answered] = (1.0 - LAST_DOUBT) * said + LAST_DOUBT * proba[answered]
    return proba


def as_sure_as_it_agrees(proba: np.ndarray, asked: np.ndarray, label_ids: np.ndarray) -> np.ndarray:
    """`proba` [n, labels] with its confidence drawn to how often the texts at `asked` were given the same label by
    somebody who is believed, `label_ids` int [len(asked)] (Platt scaling, by likelihood under priors that keep it as it
    is). The likeliest label of a text stays the likeliest."""
    from scipy.optimize import minimize  # type: ignore[import-untyped]  # comes with scikit-learn

    best = proba.argmax(axis=1)
    sure = np.clip(proba.max(axis=1), _SUREST, 1.0 - _SUREST)
    logits = np.log(sure / (1.0 - sure))
    agreed = np.where(best[asked] == label_ids, 1.0, -1.0)

    def loss(values: np.ndarray) -> float:
        told = np.logaddexp(0.0, -agreed * (values[0] + np.exp(values[1]) * logits[asked])).sum()
        return float(told + 0.5 * (values[0] / _SHIFT_SPREAD) ** 2 + 0.5 * (values[1] / _SCALE_SPREAD) ** 2)

    shift, scale = minimize(loss, np.zeros(2), method="L-BFGS-B").x
    confidence = 1.0 / (1.0 + np.exp(-(shift + np.exp(scale) * logits)))
    rest = np.array(proba)
    own = np.arange(len(proba)), best
    rest[own] = 0.0
    share = rest / np.maximum(rest.sum(axis=1, keepdims=True), 1e-12)
    # never below what the runner-up then has: which label is likeliest is not what the answers tell here
    confidence = np.maximum(confidence, share.max(axis=1) / (1.0 + share.max(axis=1)))
    found = share * (1.0 - confidence)[:, None]
    found[own] = confidence
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def believed_annotations(opinions: Sequence[Sequence[Annotation]]) -> list[Annotation]:
    """Of several language models in the order in which they are asked, one annotation per pool text: the last usable
    one, else the first model's. `opinions[k][index]` is what model k said."""
    return [
        next((note for note in reversed(notes) if note.is_answer), notes[0]) for notes in zip(*opinions, strict=True)
    ]
