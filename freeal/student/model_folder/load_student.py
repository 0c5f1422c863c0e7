"""Reading a saved student back. What is written, `save` of the two kinds says."""

from __future__ import annotations

from pathlib import Path

from freeal.errors import ConfigError, CorruptModelError, ModelFolderError, Where
from freeal.settings import StudentSettings
from freeal.student.model_folder import student_metadata as cards
from freeal.student.model_folder import untrusted_folder_check
from freeal.student.model_folder.text_classifier import TextClassifier
from freeal.student.model_folder.tfidf_classifier import TfidfClassifier
from freeal.types import TFIDF

_HINT = "train the model again, or restore its folder from a copy"
_FILES = ("config.json", "model.safetensors", "tokenizer.json")


def load(
    folder: Path, *, settings: StudentSettings | None = None, batch_size: int = 64
) -> TextClassifier | TfidfClassifier:
    """The student of a model folder; of `settings`, only device and precision matter. `batch_size` texts are scored
    at a time.

    Raises `CorruptModelError` when a file is missing, damaged or contradicts another, `NewerFormatError` when a later
    version wrote it. Nothing is unpickled, no code of the folder is run, nothing is fetched.
    """
    card = cards.read_card(folder)
    if card.mode == cards.OWN:
        raise ModelFolderError(
            f"holds a student of another kind, {card.base_model}, which only its maker can load",
            where=Where(file=folder),
            hint="load it yourself and hand it over: freeal.load(folder, student=...)",
        )
    if card.mode == TFIDF:
        untrusted_folder_check.check_untrusted_folder(folder)
        return TfidfClassifier.load(folder, card)
    for name in _FILES:
        if not (folder / name).is_file():
            raise CorruptModelError("is missing", where=Where(file=folder / name), hint=_HINT)
    untrusted_folder_check.check_untrusted_folder(folder)
    return _load_text_classifier(folder, card, settings or StudentSettings(), batch_size=batch_size)


def _load_text_classifier(
    folder: Path, card: cards.Card, settings: StudentSettings, *, batch_size: int
) -> TextClassifier:
    from safetensors import SafetensorError

    from freeal.compute import device
    from freeal.student.encoder.encoder import Encoder, read_encoder_folder

    compute = device.choose(settings)  # outside of the try: a wrong device is no fault of the folder
    try:
        model, tokenizer, missing = read_encoder_folder(folder)
        names = tuple(str(name) for _, name in sorted(model.config.id2label.items()))
        encoder = Encoder(model, tokenizer, max_length=card.max_length, compute=compute, long_texts=card.long_texts)
    except (ConfigError, SafetensorError, RuntimeError) as cause:
        problem = cause.problem if isinstance(cause, ConfigError) else str(cause)
        raise CorruptModelError(f"the model cannot be read: {problem}", where=Where(file=folder), hint=_HINT) from cause
    if missing:
        raise CorruptModelError(
            f"lacks the tensors {', '.join(sorted(missing))}",
            where=Where(file=folder / "model.safetensors"),
            hint=_HINT,
        )
    if names != card.labels:
        raise CorruptModelError(
            f"labels {list(names)} differ from those of {cards.FILE_NAME}, {list(card.labels)}",
            where=Where(file=folder / "config.json", key="id2label"),
            hint=_HINT,
        )
    if encoder.has_several_labels != bool(card.thresholds):
        problem = f"has the problem_type {model.config.problem_type!r}, which does not fit {cards.FILE_NAME}"
        raise CorruptModelError(problem, where=Where(file=folder / "config.json", key="problem_type"), hint=_HINT)
    return TextClassifier(encoder, card, batch_size=batch_size)
