"""A round's training: what all voices say together, and the student that is taught it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

import anyio.from_thread
import numpy as np

from freeal.aggregation import several_labels_posterior
from freeal.aggregation.candidate_labels import candidates_of
from freeal.aggregation.label_membership import class_ids, membership
from freeal.aggregation.label_posterior import Evidence, evidence_of
from freeal.aggregation.several_annotators import SeveralVoices, Use
from freeal.aggregation.several_labels_posterior import SeveralLabelsEvidence
from freeal.annotation.round_annotation import Questions
from freeal.errors import TrainingError
from freeal.events import Emit, Progress
from freeal.loop.known_labels import Known
from freeal.loop.merge_annotations import Opinions
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.protocols import NO_LABEL, Training
from freeal.types import Annotation, Kind, Status

Weighed = Evidence | SeveralVoices | SeveralLabelsEvidence
"""What is said about a pool beside the student, ready to be weighed with it."""


@dataclasses.dataclass(frozen=True)
class RoundTraining:
    """Weighs and teaches the opinions about one pool."""

    questions: Questions
    known: Known
    use: Use
    emit: Emit
    _found_nearness: list[np.ndarray] = dataclasses.field(default_factory=list, init=False, repr=False)

    async def evidence(self, opinions: Opinions) -> Weighed:
        """What is said about the pool beside the student. Of several labels only one language model can say it."""
        if self.questions.task.kind == "multi":
            return several_labels_posterior.evidence_of_several_labels(opinions[0], self.questions.task.names)
        voices = [await self._voice_of_annotator(annotations) for annotations in opinions]
        return voices[0] if len(voices) == 1 else SeveralVoices(tuple(voices), self.use)

    async def train(self, number: int, annotations: Sequence[Annotation], evidence: Weighed) -> Training:
        """A student of round `number`, on the labels of `annotations` as `evidence` weighs them. Raises `TrainingError`
        where there are none."""
        questions = self.questions
        pool = questions.pool
        ids = label_ids(annotations, questions.task.names, questions.task.kind)
        if (ids == NO_LABEL).all():
            raise self._no_answer_error(annotations)

        def on_step(done: int, total: int) -> None:
            anyio.from_thread.check_cancelled()  # a stop ends the training here; the round is done again
            self.emit(Progress("training", number, done, total, "steps"))

        data = LabelledTexts(
            pool.texts,
            ids.tolist(),
            candidates=evidence.candidates if isinstance(evidence, Evidence) else None,
            paraphrases=pool.paraphrases,
            confirmed=self.known.mask_of_labelled(len(pool)),
            groups=None if pool.groups is None else np.array(pool.groups),
            weigh=None if isinstance(evidence, SeveralLabelsEvidence) else evidence.targets,
            weigh_of=None if isinstance(evidence, SeveralLabelsEvidence) else lambda rows: evidence.part(rows).targets,
            # who gives probabilities tells its errors itself: there encoders of halves gave nothing (the sample: 81.3 %
            # right with them, 81.0 and 81.3 without)
            judged=not isinstance(evidence, SeveralLabelsEvidence) and bool(evidence.named_only.any()),
            weigh_each=evidence.weigh_each if isinstance(evidence, SeveralLabelsEvidence) else None,
        )
        return await questions.on_device(
            lambda: questions.trainer.fit(
                data, labels=questions.task.names, seed=questions.seed + number, on_step=on_step
            )
        )

    async def _voice_of_annotator(self, annotations: Sequence[Annotation]) -> Evidence:
        names = self.questions.task.names
        resolves = self.questions.settings.candidates == "resolve"
        return evidence_of(
            annotations,
            names,
            nearness=await self._voice_of_label_meanings(annotations),
            candidates=candidates_of(annotations, names) if resolves else None,
        )

    async def _voice_of_label_meanings(self, annotations: Sequence[Annotation]) -> np.ndarray | None:
        """The labels' meanings as a voice, the same in every round; answers with probabilities have it in them."""
        has_it = any(note.distribution for note in annotations if Status.CORRECTED not in note.statuses)
        if self.questions.settings.label_meanings == "off" or has_it:
            return None
        if not self._found_nearness:
            self._found_nearness.append(await self.questions.nearness(range(len(self.questions.pool))))
        return self._found_nearness[0]

    def _no_answer_error(self, annotations: Sequence[Annotation]) -> TrainingError:
        """Of a round that cannot be trained."""
        why = self.questions.annotator.unusable
        reasons = Counter(str(status) for note in annotations for status in note.statuses)
        return TrainingError(
            f"the language model gave no usable answer for any of {len(annotations)} texts: "
            f"{why.problem or 'mostly ' + reasons.most_common(1)[0][0]}",
            hint=why.hint,
        )


def label_ids(annotations: Sequence[Annotation], names: tuple[str, ...], kind: Kind) -> np.ndarray:
    """The labels of annotations as ids, int64 [n], NO_LABEL where there is none; of several labels their membership,
    [n, labels]."""
    said = [note.label for note in annotations]
    return membership(said, names) if kind == "multi" else class_ids(said, names, kind)
