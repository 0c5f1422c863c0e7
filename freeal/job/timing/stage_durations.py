"""How long the parts of a job take, before anything of it is measured.

Measured on two cores that do nothing else: the packaged language model reads 1,500 tokens a second (27 answers about
reviews); fine-tuning takes in 25 texts a second with the packaged encoder, 22 million parameters. What a machine makes
of it may be several times more or less: remaining_time.py corrects it by what it sees.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from freeal.compute import cpu_threads
from freeal.events import Stage
from freeal.settings import LoopSettings, StudentSettings
from freeal.student.comparison import candidates
from freeal.student.comparison.comparing_trainer import COMPARED_TEXTS, FOLDS
from freeal.student.trainer_factory import choose_mode
from freeal.student.training import encoder_cross_fitting
from freeal.student.training.hyperparameters import default_epochs

TOKENS_PER_CORE_SECOND = 750.0
TRAINED_TEXTS_PER_CORE_SECOND = 12.5
EMBEDDED_TEXTS_PER_CORE_SECOND = 60.0
GPU_CORES = 40.0
"""As many cores a GPU is worth, at the least."""
NETWORK_SECONDS_PER_ANSWER = 1.5
LOADING_SECONDS = 8.0
HEAD_SECONDS = 5.0
"""The linear heads of a training run, cross-validated."""
WRITING_SECONDS = 3.0
LATER_ROUND_SHARE = 0.3
"""Of the texts, asked about again in a round after the first: 5 to 60 % were seen."""
_CHARACTERS_PER_TOKEN = 4.0
_TOKENS_PER_PROMPT = 12.0
"""What a prompt of a local model holds beside the text, and has not in common with the others."""


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """A stage of a round (0: outside the rounds) and the seconds it is expected to take."""

    stage: Stage
    round: int
    seconds: float


def answer_seconds(texts: Sequence[str], *, on_gpu: bool) -> float:
    """The packaged language model's time for one answer about one of `texts`, on average."""
    tokens = _TOKENS_PER_PROMPT + sum(map(len, texts)) / max(1, len(texts)) / _CHARACTERS_PER_TOKEN
    return tokens / (TOKENS_PER_CORE_SECOND * _cores(on_gpu=on_gpu))


def training_seconds(settings: StudentSettings, *, texts: int, on_gpu: bool, names_only: bool) -> tuple[float, float]:
    """The student's time for one round over so many texts: least and most, which differ while it is yet to be chosen
    among several, and where answers are `names_only`: whether encoders judge them is seen when heads have."""
    once, judged = (
        [
            _seconds_of_one_training(settings, texts=texts, work=work, on_gpu=on_gpu, judged=judged)
            for work in _works(settings)
        ]
        for judged in (False, names_only)
    )
    return min(once), max(judged)


def comparison_seconds(settings: StudentSettings, *, texts: int, on_gpu: bool) -> float:
    """The time of choosing among several students before the first training; 0 where one is named."""
    works = _works(settings)
    if len(works) == 1:
        return 0.0
    half = min(texts, COMPARED_TEXTS) // FOLDS
    scored = half / (EMBEDDED_TEXTS_PER_CORE_SECOND * _cores(on_gpu=on_gpu))
    each = (
        _seconds_of_one_training(settings, texts=half, work=work, on_gpu=on_gpu, judged=False) + scored * work
        for work in works
    )
    return FOLDS * sum(each)


def _works(settings: StudentSettings) -> list[float]:
    """Of each student that may be trained, the work for a text beside the packaged encoder's."""
    return [candidates.expected_work(name) for name in candidates.named_candidates(settings)]


def _seconds_of_one_training(
    settings: StudentSettings, *, texts: int, work: float, on_gpu: bool, judged: bool
) -> float:
    cores = _cores(on_gpu=on_gpu) / work
    reading = texts / (EMBEDDED_TEXTS_PER_CORE_SECOND * cores)
    if work <= candidates.TFIDF_WORK or choose_mode(settings, texts=texts, on_cpu=not on_gpu) == "frozen":
        return HEAD_SECONDS + reading
    trained = texts * (settings.epochs or default_epochs(texts))
    if judged and encoder_cross_fitting.is_worth_it(settings, labelled=texts, on_cpu=not on_gpu):
        trained *= 2  # HALVES of the texts, each as often as all of them
    return HEAD_SECONDS + 2 * reading + trained / (TRAINED_TEXTS_PER_CORE_SECOND * cores)


def parts_of_job(
    *,
    loop: LoopSettings,
    asked: int,
    sets: int,
    zero_shot: bool,
    from_round: int,
    answer: float,
    training: float,
    trial: int = 0,
    comparing: float = 0.0,
    looks: Sequence[float] = (),
) -> list[Part]:
    """A job's parts in their order, once its models are loaded.

    `trial` answers find the form of the question; `asked` texts are asked about in the first round, each `sets` times,
    and before it where `zero_shot`; nothing is asked before round `from_round`. `answer` and `training` are the seconds
    of one answer and of one round's training, `comparing` those of choosing a student before the first; `looks` those
    of an answer of each further language model, which has a round of its own.
    """
    found = [Part("selecting", 0, trial * answer)] if trial else []
    found += [Part("annotating", 0, asked * answer)] if zero_shot and from_round == 1 else []
    for number in range(1, loop.iterations + 1):
        share = 1.0 if number == 1 else LATER_ROUND_SHARE
        found += [Part("annotating", number, share * asked * sets * answer)] if number >= from_round else []
        found.append(Part("training", number, training + (comparing if number == 1 else 0.0)))
    for number, seconds in enumerate(looks, start=loop.iterations + 1):
        found += [Part("annotating", number, LATER_ROUND_SHARE * asked * seconds), Part("training", number, training)]
    found += [Part("training", 0, training)] if loop.compare_plain else []
    return [*found, Part("writing", 0, WRITING_SECONDS)]


def _cores(*, on_gpu: bool) -> float:
    return GPU_CORES if on_gpu else float(cpu_threads.cores())
