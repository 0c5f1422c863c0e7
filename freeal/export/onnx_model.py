"""A classifier as an ONNX model: the whole of it, from token ids to probabilities, with the tokenizer beside it.

Written with torch.onnx and dynamic shapes; optimum's exporter pins an older transformers. What was written is run and
held against the original before it is called done.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from freeal.errors import ConfigError, CorruptModelError, ModelFolderError, Where
from freeal.export.onnx_classifier import CARD, INSTALL, MODEL, TOKENIZER, OnnxClassifier
from freeal.files import atomic_write
from freeal.files.model_folders import classifier_folder
from freeal.settings import StudentSettings
from freeal.student.model_folder import load_student
from freeal.student.model_folder.student_metadata import Card
from freeal.student.model_folder.text_classifier import TextClassifier

TOLERANCE = 1e-4
"""The most by which a probability may differ from that of the original."""
_PROBES = (
    "a",
    "A plain sentence, with a comma.",
    "Caf\u00e9, na\u00efve, \u0141\u00f3d\u017a: 100 % \u2013 \u65e5\u672c\u8a9e \U0001f600",
    "one two three four five six seven eight nine ten " * 40,
    "x" * 300,
)
_FORMAT = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Export:
    """What was written into `folder`: `difference` is the largest of a probability from the original's. With `int8`,
    `measured` says what it does to `texts` texts: share of labels that changed, mean and largest difference; None where
    there were none to measure with."""

    folder: Path
    labels: tuple[str, ...]
    bytes: int
    int8: bool
    difference: float
    texts: int = 0
    measured: dict[str, float] | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self) | {"folder": str(self.folder), "labels": list(self.labels)}


def export_onnx(model: Path, output: Path, *, int8: bool = False, texts: Sequence[str] = ()) -> Export:
    """Write the classifier of a model folder into `output`, which is made. `texts` are what int8 is measured with.

    Raises `ConfigError` without the packages it takes, `ModelFolderError` for the model, and `CorruptModelError` where
    what was written does not say what the original says.
    """
    _check_onnx_model_packages()
    folder = classifier_folder(model)
    student = load_student.load(folder, settings=StudentSettings(device="cpu", precision="fp32"))
    if not isinstance(student, TextClassifier):
        problem = f"holds a student of words ({student.card.mode}), which is no network"
        raise ModelFolderError(
            problem, where=Where(file=folder), hint="train with student.model: minilm, and export that"
        )
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output, prefix=".export-") as scratch:
        whole = Path(scratch) / "whole"
        whole.mkdir()
        _write_onnx_graph(folder, whole / MODEL)
        _write_tokenizer(folder, whole / TOKENIZER, max_length=student.card.max_length)
        thresholds = student.card.thresholds
        card = {"format": _FORMAT, "labels": list(student.labels), "int8": int8}
        atomic_write.write_json(whole / CARD, card | ({"thresholds": list(thresholds)} if thresholds else {}))
        probes = [*_PROBES, *texts[:200]] if student.card.long_texts == "head" else [_PROBES[0], _PROBES[1]]
        difference = float(np.abs(OnnxClassifier(whole).predict_proba(probes) - student.predict_proba(probes)).max())
        if not difference <= TOLERANCE:
            raise CorruptModelError(
                f"the exported model differs from the original by {difference:.2g}, more than {TOLERANCE:g}",
                where=Where(file=folder),
                hint="this architecture cannot be exported by this version of torch",
            )
        measured = None
        if int8:
            plain = OnnxClassifier(whole).predict_proba(texts) if texts else None
            _quantize_int8(whole / MODEL)
            if plain is not None:
                measured = _int8_loss_of_onnx_model(plain, OnnxClassifier(whole).predict_proba(texts), thresholds)
        found = Export(output, student.labels, (whole / MODEL).stat().st_size, int8, difference, len(texts), measured)
        (whole / "README.md").write_text(_onnx_readme(found, student.card), encoding="utf-8")
        for path in sorted(whole.iterdir()):
            shutil.move(path, output / path.name)
    return found


def _check_onnx_model_packages() -> None:
    """Raises `ConfigError` where what writes an ONNX model is not installed."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as cause:
        raise ConfigError(f"{cause.name} is not installed", hint=INSTALL) from cause


def _write_onnx_graph(folder: Path, target: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification

    from freeal.compute.quiet_transformers import quiet_transformers

    with quiet_transformers():
        model = AutoModelForSequenceClassification.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, attn_implementation="eager",
            dtype=torch.float32,
        ).eval()  # fmt: skip

    several = model.config.problem_type == "multi_label_classification"

    class Probabilities(torch.nn.Module):
        """From token ids to probabilities."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            logits = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
            return torch.sigmoid(logits) if several else torch.softmax(logits, dim=-1)

    longest = getattr(model.config, "max_position_embeddings", 512) - 2
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length", max=longest)
    shape = {0: batch, 1: length}
    ids = torch.ones((2, 7), dtype=torch.int64)
    with _quiet_onnx_exporter(), torch.inference_mode():
        program = torch.onnx.export(
            Probabilities().eval(),
            (ids, torch.ones_like(ids)),
            input_names=["input_ids", "attention_mask"],
            output_names=["probabilities"],
            dynamic_shapes={"input_ids": shape, "attention_mask": shape},
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise CorruptModelError("could not be exported", where=Where(file=folder))
    program.save(str(target))


@contextlib.contextmanager
def _quiet_onnx_exporter() -> Iterator[None]:
    """torch's exporter says much that nobody can act on."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def _write_tokenizer(folder: Path, target: Path, *, max_length: int) -> None:
    """tokenizer.json that cuts where the training did and pads to the longest text by itself."""
    from tokenizers import Tokenizer

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    pad_id = int(config.get("pad_token_id") or 0)
    tokenizer.enable_truncation(max_length=max_length)
    tokenizer.enable_padding(pad_id=pad_id, pad_token=tokenizer.id_to_token(pad_id))
    tokenizer.save(str(target))


def _quantize_int8(path: Path) -> None:
    """Weights of the matrix products as 8-bit integers, activations as they come (dynamic quantization).

    A scale per channel: with one per matrix 14 % of 80 reviews got another label, so 4 %. 7 bits of the range: without
    VNNI sums of products overflow, and it costs nothing.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    small = path.with_name("small.onnx")
    logger = logging.getLogger()
    before = logger.level
    logger.setLevel(logging.ERROR)  # it recommends a preparation that changes nothing here
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            quantize_dynamic(str(path), str(small), weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)
    finally:
        logger.setLevel(before)
    small.replace(path)


def _int8_loss_of_onnx_model(plain: np.ndarray, small: np.ndarray, thresholds: Sequence[float]) -> dict[str, float]:
    """What int8 changes in the probabilities of an ONNX model."""
    difference = np.abs(plain - small)
    changed = plain.argmax(axis=1) != small.argmax(axis=1)
    if thresholds:
        changed = ((plain >= np.array(thresholds)) != (small >= np.array(thresholds))).any(axis=1)
    return {
        "labels_changed": round(float(changed.mean()), 6),
        "mean_difference": round(float(difference.mean()), 6),
        "largest_difference": round(float(difference.max()), 6),
    }


def _onnx_readme(found: Export, card: Card) -> str:
    labels = json.dumps(list(found.labels), ensure_ascii=False)
    said = f"Its probabilities differ from the original's by {found.difference:.1e} at most."
    if found.int8:
        said = "Its weights are 8-bit integers: what that costs was not measured."
    if found.measured is not None:
        said = (
            f"Its weights are 8-bit integers: of {found.texts:,} texts, {found.measured['labels_changed']:.2%} got "
            f"another label; probabilities differ by {found.measured['mean_difference']:.4f} on average."
        )
    more = (
        " The original reads beginning and end of a long text, this the beginning alone."
        if card.long_texts != "head"
        else ""
    )
    shown = 'print([LABELS[row.argmax()] for row in classify(["a text", "another one"])])'
    least = ""
    if card.thresholds:
        least = f"\nTHRESHOLDS = {json.dumps(list(card.thresholds))}  # a text has each label that reaches its own"
        shown = (
            'for row in classify(["a text", "another one"]):\n'
            "    print([name for name, share, least in zip(LABELS, row, THRESHOLDS) if share >= least])"
        )
    return f"""# A text classifier in ONNX

Runs with `onnxruntime`, `tokenizers` and `numpy` alone. {said}{more}

```python
import numpy
import onnxruntime
import tokenizers

LABELS = {labels}{least}
tokenizer = tokenizers.Tokenizer.from_file("{TOKENIZER}")  # cuts long texts and pads short ones by itself
session = onnxruntime.InferenceSession("{MODEL}")


def classify(texts):
    read = tokenizer.encode_batch(texts)
    ids, mask = numpy.array([one.ids for one in read]), numpy.array([one.attention_mask for one in read])
    return session.run(None, {{"input_ids": ids, "attention_mask": mask}})[0]  # a probability per label


{shown}
```
"""
