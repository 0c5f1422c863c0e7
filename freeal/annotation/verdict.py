"""What an answer comes to: a label with its confidence, or why there is none."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from freeal.aggregation import label_choice
from freeal.annotation.usable_reply import reading_of
from freeal.text import long_text_shortening
from freeal.types import Annotation, Prompt, Reply, Status, Task

if TYPE_CHECKING:
    import numpy as np

LEAST_STATED = 0.01
"""A written probability of 0 or 1 is a round figure, no certainty."""
_OK = (Status.OK,)


@dataclasses.dataclass(slots=True)
class Verdict:
    """What one reply says; `repairable` where a plainer question may help."""

    label: str | None
    confidence: float
    status: Status
    truncated: bool = False
    from_store: bool = False
    repairable: bool = False
    distribution: tuple[float, ...] | None = None
    alternatives: tuple[str, ...] = ()
    stated: tuple[float, ...] | None = None
    """Probabilities that a written answer gives the prompt's labels, before they are judged together."""
    branch: str | None = None

    @property
    def is_answer(self) -> bool:
        """Whether it names a label, or a branch above labels."""
        return self.label is not None or self.branch is not None


def verdict_of(reply: Reply, prompt: Prompt, *, from_store: bool) -> Verdict:
    """The verdict of a reply; where it holds scores, they are judged together with all others'."""
    if reply.scores is not None:
        return Verdict(None, 0.0, Status.OK, reply.truncated, from_store)
    reading = reading_of(reply, prompt)
    verdict = Verdict(reading.label, reading.confidence, reading.status, reply.truncated, from_store)
    # A refusal is meant, and what was cut off was asked again already, with more room.
    verdict.branch = reading.branch
    verdict.repairable = not verdict.is_answer and reply.outcome in {"answer", "empty"}
    verdict.alternatives = reading.alternatives
    verdict.stated = reading.probabilities if prompt.ranked else None
    return verdict


class Verdicts:
    """What replies to `prompts` come to, by key, read as they come (an `OnReply`). A written reply that answers is let
    go once it is read; `scores` are kept to be judged together, and `useless` replies to be told of."""

    def __init__(self, prompts: Mapping[str, Prompt]) -> None:
        self.prompts = prompts
        self.found: dict[str, Verdict] = {}
        self.scores: dict[str, tuple[float, ...]] = {}
        self.useless: dict[str, Reply] = {}

    def take_verdict(self, key: str, reply: Reply, *, from_store: bool) -> None:
        """Take the verdict of one reply more; of several to one key the last one counts."""
        verdict = self.found[key] = verdict_of(reply, self.prompts[key], from_store=from_store)
        self.useless.pop(key, None)
        if reply.scores is not None:
            self.scores[key] = reply.scores
        elif not verdict.is_answer:
            self.useless[key] = reply


def judge_stated(
    verdicts: Mapping[str, Verdict],
    *,
    names: tuple[str, ...],
    prior: Sequence[float] | np.ndarray | None,
    calibrated: bool,
) -> None:
    """Fill in label, confidence and distribution where a written answer gave probabilities of all of `names`.

    `calibrated` over all these answers like scores of a local model (freeal/llm/local/score_calibration.py), but the
    labels are as frequent as the answers themselves say, or `prior` [labels]: taken for equally frequent where they are
    nine to one, as a small model's scores are, a good model's answers lost up to 29 points.
    """
    told = [verdict for verdict in verdicts.values() if verdict.stated is not None]
    if not told:
        return
    import numpy as np

    from freeal.llm.local.score_calibration import calibrate_scores

    shares = np.array([verdict.stated for verdict in told])
    if calibrated:
        expected = shares.mean(axis=0) if prior is None else np.asarray(prior, dtype=np.float64)
        shares = calibrate_scores(np.log(np.maximum(shares, LEAST_STATED)), prior=expected)
    for verdict, row in zip(told, shares.tolist(), strict=True):
        best = max(range(len(row)), key=row.__getitem__)
        verdict.label, verdict.confidence, verdict.distribution = names[best], row[best], tuple(row)


def judge_scores(
    verdicts: Sequence[Verdict], scores: np.ndarray, *, task: Task, prior: np.ndarray | None, calibrated: bool
) -> None:
    """Fill in label, confidence and distribution of each verdict from its label scores [verdicts, labels], calibrated
    over all of them or taken as they are; of several labels each by itself, which cannot be told without calibration:
    a language model's scores have no zero of their own."""
    from freeal.llm.local.score_calibration import calibrate_scores, calibrate_scores_of_each_label, uncalibrated

    if task.kind == "multi":
        probabilities = calibrate_scores_of_each_label(scores, prior=prior)
        labels, sure = label_choice.labels_of(probabilities, task.names, task.kind)
    else:
        probabilities = calibrate_scores(scores, prior=prior) if calibrated else uncalibrated(scores)
        best = probabilities.argmax(axis=1)
        labels = [task.names[place] for place in best]
        sure = label_choice.confidence(probabilities, best)
    rows = zip(verdicts, labels, sure.tolist(), probabilities.tolist(), strict=True)
    for verdict, label, confidence, row in rows:
        verdict.label, verdict.confidence, verdict.distribution = label, confidence, tuple(row)


def annotation_of(verdict: Verdict | None, *, index: int, text: str, round_number: int) -> Annotation:
    """The annotation of the pool text `index`; without a verdict it was empty."""
    if verdict is None:
        return Annotation(index, None, 0.0, (Status.EMPTY_TEXT,), round_number)
    statuses = [] if verdict.status is Status.OK else [verdict.status]
    if verdict.truncated or len(text) > long_text_shortening.MOST_TEXT_CHARACTERS:
        statuses.append(Status.TRUNCATED)
    return Annotation(
        index=index,
        label=verdict.label,
        confidence=verdict.confidence,
        statuses=tuple(statuses) or _OK,
        round=round_number,
        distribution=verdict.distribution,
        alternatives=verdict.alternatives,
        from_store=verdict.from_store,
        branch=verdict.branch if verdict.label is None else None,
    )
