"""settings.md and spec.md: every key of freeal.yaml and of a spec."""

from __future__ import annotations

import inspect
import typing

from pydantic import BaseModel

import daemon.config
import freeal.settings
from docs.generator.reference.markdown_tables import default, is_section, kind, table
from freeal.spec.job_overrides import LlmOverrides, StudentOverrides
from freeal.spec.job_spec import Spec

SETTINGS = """\
# Settings

Every key of `freeal.yaml`, with its default. How to choose: [Choosing settings](../settings.md).
"""

SPEC = """\
# The spec

A YAML file with the name of the CSV: `reviews.yaml` for `reviews.csv`. An unknown key is an error that names the
file, the line and the nearest known key. Examples, and how a CSV finds its spec: [The inbox](../inbox.md).
"""


def settings_page() -> str:
    """Every key of freeal.yaml."""
    fields = daemon.config.Settings.model_fields
    parts = [
        SETTINGS.strip(),
        "## Folders",
        table(
            ["key", "default", "meaning"],
            [[f"`{name}`", default(f), f.description or ""] for name, f in fields.items() if not is_section(f)],
        ),
    ]
    for name, field in fields.items():
        if is_section(field):
            section = typing.cast("type[BaseModel]", field.annotation)
            parts += [f"## {name}", first_words(section), keys_of(section, prefix=f"{name}.")]
    parts += [
        "## Prices",
        "`llm.prices` maps a model's name to what it costs, in US dollars per million tokens:",
        keys_of(freeal.settings.Price, prefix=""),
    ]
    return "\n\n".join(parts)


def keys_of(section: type[BaseModel], *, prefix: str) -> str:
    """A table of a section's keys."""
    rows = [
        [f"`{prefix}{name}`", default(field) or "needed", kind(field.annotation), field.description or ""]
        for name, field in section.model_fields.items()
    ]
    return table(["key", "default", "values", "meaning"], rows)


def spec_page() -> str:
    """Every key of a spec."""
    rows = [
        [f"`{name}`", "yes" if field.is_required() and name != "name" else "", field.description or ""]
        for name, field in Spec.model_fields.items()
    ]
    parts = [
        SPEC.strip(),
        table(["key", "needed", "meaning"], rows),
    ]
    for name, section, overrides in (
        ("llm", freeal.settings.LlmSettings, LlmOverrides),
        ("student", freeal.settings.StudentSettings, StudentOverrides),
    ):
        rows = [
            [f"`{key}`", kind(section.model_fields[key].annotation), section.model_fields[key].description or ""]
            for key in overrides.model_fields
        ]
        parts += [
            f"## {name}",
            f"These keys of the operator's `{name}` may be set for one job, under `{name}` in its spec.",
            table(["key", "values", "meaning"], rows),
        ]
    layout = typing.cast("type[BaseModel]", Spec.model_fields["csv"].annotation)
    rows = [[f"`{key}`", kind(field.annotation), field.description or ""] for key, field in layout.model_fields.items()]
    parts += [
        "## csv",
        (
            "How the file is written. All of it is found out from the file where nothing is said: "
            "[Your tables](../tables.md)."
        ),
        table(["key", "values", "meaning"], rows),
    ]
    return "\n\n".join(parts)


def first_words(section: type[BaseModel]) -> str:
    """What a section is, from its docstring."""
    return (inspect.getdoc(section) or "").partition("\n\n")[0]
