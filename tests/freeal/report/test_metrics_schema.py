"""metrics.json keeps to its published schema."""

from __future__ import annotations

import copy
import dataclasses
import json
import re
from pathlib import Path

import pytest

import freeal.report.report_page
from freeal.certification import certificate, certified_json_file, sheet_draw
from freeal.certification.sampling_frame import frame_of
from freeal.evaluation.metrics import final_metrics

SCHEMA = json.loads(
    (Path(freeal.report.report_page.__file__).parent / "metrics.schema.json").read_text(encoding="utf-8")
)
TYPES = {"boolean": bool, "object": dict, "array": list, "string": str, "integer": int, "number": (int, float)}
UNDERSTOOD = {
    *(
        "$schema",
        "title",
        "description",
        "type",
        "const",
        "pattern",
        "minimum",
        "maximum",
        "minItems",
        "maxItems",
        "items",
    ),
    *("properties", "required", "additionalProperties"),
}


def faults(value, schema, path="$"):
    """Where `value` breaks `schema`, in the part of JSON Schema that ours uses; an unknown keyword is an error."""
    assert set() == set(schema) - UNDERSTOOD
    kind = schema.get("type")
    if kind and (not isinstance(value, TYPES[kind]) or isinstance(value, bool) != (kind == "boolean")):
        return [path]
    if "const" in schema and value != schema["const"]:
        return [path]
    if isinstance(value, str):
        return [] if re.search(schema.get("pattern", ""), value) else [path]
    if isinstance(value, int | float):
        return [] if schema.get("minimum", value) <= value <= schema.get("maximum", value) else [path]
    if isinstance(value, list):
        short = [] if schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)) else [path]
        return short + [
            fault for n, item in enumerate(value) for fault in faults(item, schema["items"], f"{path}[{n}]")
        ]
    return _faults_of_object(value, schema, path)


def _faults_of_object(value, schema, path):
    known, rest = schema.get("properties", {}), schema.get("additionalProperties", {})
    found = [f"{path}.{key}" for key in schema.get("required", []) if key not in value]
    for key, item in value.items():
        if key not in known and rest is False:
            found.append(f"{path}.{key}")
        else:
            found += faults(item, known.get(key, rest), f"{path}.{key}")
    return found


@pytest.mark.parametrize("truth", [True, False])
def test_a_real_runs_metrics_keep_to_it(finish, truth):
    """With and without ground truth."""
    metrics = json.loads(json.dumps(finish(truth=truth).metrics()))
    assert [] == faults(metrics, SCHEMA)
    assert truth == ("accuracy" in metrics["final"])


def test_metrics_after_corrections_keep_to_it(finish):
    """With true labels and a person's, the rows that nobody corrected are measured apart, and the schema knows it."""
    run = finish()
    said = dataclasses.replace(run.decisions[0], source="corrected")
    final = final_metrics([said, *run.decisions[1:]], run.pool, run.spec.task.names)
    assert "uncorrected" in final
    metrics = run.metrics()
    assert [] == faults(json.loads(json.dumps(metrics | {"final": metrics["final"] | final})), SCHEMA)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("rows",), "60"), (("rows",), -1), (("schema_version",), 2), (("final", "accuracy"), 1.1), (("surprise",), 1),
        (("rounds", 0, "asked"), None), (("final", "label_counts", "happy"), 0.5), (("labels",), ["one"]),
    ],
)  # fmt: skip
def test_what_breaks_it_is_found(finish, path, value):
    """A wrong type, a value out of range, a key nobody named."""
    metrics = copy.deepcopy(finish().metrics())
    place = metrics
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert 1 == len(faults(metrics, SCHEMA))


def test_a_certified_accuracy_keeps_to_it(finish):
    """What a blind sheet adds, and what withdrawing it leaves."""
    run = finish()
    pool = run.pool
    drawn = certified_json_file.certified_rows_of_draw(
        sheet_draw.draw_sheet_rows(frame_of(pool, run.decisions), 40, seed=0), pool
    )
    labels = run.spec.task.names
    answers = {line.row: labels[0] for line in drawn.draw.lines}
    certified = dataclasses.replace(drawn, answers=answers, day="2026-11-29")
    told = {"labels": labels, "version": "v"}
    found = certificate.certificate_for_version(certified, pool, run.decisions, said=(), **told)
    withdrawn = certificate.certificate_for_version(certified, pool, run.decisions, said=set(pool.texts), **told)
    assert "accuracy" in found["labels"]
    assert "withdrawn" in withdrawn
    for part in (found, withdrawn):
        metrics = json.loads(json.dumps(run.metrics() | {"certified": part}))
        assert [] == faults(metrics, SCHEMA)
    assert faults(json.loads(json.dumps(run.metrics() | {"certified": found | {"surprise": 1}})), SCHEMA)
