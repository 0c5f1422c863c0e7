"""`python -m freeal export`: a finished model, or its labelled rows, in the form of another program.

python -m freeal export onnx models/reviews --output reviews-onnx
python -m freeal export hub models/reviews --repo me/reviews          says what would be sent; --send sends it
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from freeal.cli.print_results import add_json, print_json, print_pairs
from freeal.cli.training_progress import EXIT_OK
from freeal.errors import CorruptModelError
from freeal.files import output_folder
from freeal.results.find_version import find_version

_MEASURED_TEXTS = 500
_FORMS = {
    "dataset": ("the labelled rows for datasets.load_dataset: a CSV, and a card that names the labels", "README.md"),
    "argilla": ("the labelled rows for Argilla's Dataset.from_disk, our labels as suggestions", "records.json"),
    "label-studio": ("the labelled rows as tasks for Label Studio, our labels as predictions", "tasks.json"),
}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command with its forms, each with `run`."""
    what = "a finished model, or its labelled rows, for another program"
    export = commands.add_parser("export", help=what, description=f"{what[0].upper()}{what[1:]}.")
    forms = export.add_subparsers(required=True, metavar="FORM")
    onnx = _add_export_form(forms, "onnx", "the classifier for onnxruntime and tokenizers alone (extra: onnx)")
    onnx.set_defaults(run=_export_onnx)
    onnx.add_argument(
        "--int8", action="store_true", help="weights as 8-bit integers: a quarter of the size, less exact"
    )
    for name, (what, _) in _FORMS.items():
        _add_export_form(forms, name, what).set_defaults(run=_export_rows, form=name)
    hub = _add_export_form(
        forms, "hub", "what would be sent to the Hugging Face hub, and on demand the sending", output=False
    )
    hub.set_defaults(run=_export_to_hub)
    hub.add_argument("--repo", required=True, metavar="OWNER/NAME", help="where it would go")
    hub.add_argument("--send", action="store_true", help="send it; without this, nothing leaves this machine")
    hub.add_argument("--dataset", action="store_true", help="FOLDER is what `export dataset` wrote, not a model")
    hub.add_argument("--public", action="store_true", help="a new repository is one that everybody sees")


def _add_export_form(
    forms: argparse._SubParsersAction[argparse.ArgumentParser], name: str, what: str, *, output: bool = True
) -> argparse.ArgumentParser:
    parser = forms.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="models/NAME, one of its versions, or what train wrote"
    )
    if output:
        parser.add_argument(
            "--output", type=Path, required=True, metavar="FOLDER", help="new, empty, or of an earlier export"
        )
    add_json(parser, "what was written, and the figures")
    return parser


def _export_onnx(arguments: argparse.Namespace) -> int:
    from freeal.export.onnx_model import export_onnx

    output = output_folder.free_folder(arguments.output, key="--output", ours=("classifier.json",))
    texts = _texts_of_own_rows(arguments.folder) if arguments.int8 else []
    found = export_onnx(arguments.folder, output, int8=arguments.int8, texts=texts)
    if arguments.json:
        print_json(found.as_dict())
        return EXIT_OK
    lines = [
        ("folder", str(found.folder)),
        ("labels", ", ".join(found.labels)),
        ("size", f"{found.bytes / 1e6:.1f} MB"),
        ("differs from the original by", f"{found.difference:.1e} at most, before anything was made smaller"),
    ]
    if found.int8:
        said = "not measured: the rows of this model are not beside it"
        if found.measured is not None:
            changed, mean = found.measured["labels_changed"], found.measured["mean_difference"]
            said = f"{changed:.1%} of {found.texts:,} texts get another label; probabilities {mean:.4f} off on average"
        lines.append(("8-bit weights", said))
    print_pairs(lines)
    return EXIT_OK


def _texts_of_own_rows(folder: Path) -> list[str]:
    """Texts of the model's own rows; none where they are not there."""
    from freeal.export import labelled_rows

    try:
        _, rows = labelled_rows.read(find_version(folder))
    except CorruptModelError:
        return []
    return list(dict.fromkeys(row.text for row in rows if row.text))[:_MEASURED_TEXTS]


def _export_rows(arguments: argparse.Namespace) -> int:
    from freeal.export import argilla_records, dataset_folder, label_studio_tasks

    writers: dict[str, Callable[[Path, Path], dict[str, Any]]] = {
        "dataset": dataset_folder.export_dataset,
        "argilla": argilla_records.export_records,
        "label-studio": label_studio_tasks.export_tasks,
    }
    ours = _FORMS[arguments.form][1]
    output = output_folder.free_folder(arguments.output, key="--output", ours=(ours,))
    found = writers[arguments.form](find_version(arguments.folder), output)
    if arguments.json:
        print_json(found)
        return EXIT_OK
    files = [("file", name) for name in found.pop("files")]
    figures = [
        (name.replace("_", " "), ", ".join(value) if isinstance(value, list) else f"{value:,}")
        for name, value in found.items()
    ]
    print_pairs([*figures, *files])
    return EXIT_OK


def _export_to_hub(arguments: argparse.Namespace) -> int:
    from freeal.export import hub_upload

    kind: hub_upload.Kind = "dataset" if arguments.dataset else "model"
    upload = hub_upload.planned_upload(arguments.folder, arguments.repo, kind=kind, private=not arguments.public)
    sent_to = hub_upload.push_to_hub(upload) if arguments.send else None
    if arguments.json:
        print_json(upload.as_dict() | {"sent_to": sent_to})
        return EXIT_OK
    print_pairs([(name, f"{size:,} bytes") for name, size in upload.files.items()])
    texts = "no text of any row"
    if upload.holds_texts:
        own = "the student of your own, in whose pickle words or texts of rows may be"
        texts = "the texts of all rows, with their labels" if upload.kind == "dataset" else own
    seen = "only you and those you let in see it" if upload.private else "everybody sees it"
    said = f"sent to {sent_to}" if sent_to else f"nothing was sent; --send would send it to {upload.repo} ({kind})"
    print_pairs([("holds", texts), ("a new repository", seen), ("", said)])
    return EXIT_OK
