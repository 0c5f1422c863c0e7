"""What a version is worth, in one line: a number and a sentence. An accuracy only where somebody measured it.

Used by the report, which can be given another headline once a person has filled in a blind sheet, and by the live page.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from freeal.certification.sheet_size import FEWEST_ROWS, USUAL_ROWS
from freeal.report.markup_elements import element
from freeal.report.number_format import percent, plural

BEGIN, END = "<!-- headline:begin -->", "<!-- headline:end -->"
_BLOCK = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)


@dataclasses.dataclass(frozen=True, slots=True)
class Headline:
    """`number` stands large, `sentence` says what it is; `is_accuracy` is true only for one that was measured."""

    number: str
    sentence: str
    is_accuracy: bool


def headline_of_metrics(metrics: Mapping[str, Any]) -> Headline:
    """The headline of a metrics.json: certified by a person, else measured with true labels, else none of both."""
    certified = (metrics.get("certified") or {}).get("labels") or {}
    if "accuracy" in certified:
        low, high = certified["interval"]
        texts = plural(certified["looked_at"], "row")
        return Headline(
            percent(certified["accuracy"]),
            f"of the labels are right, between {percent(low)} and {percent(high)}: a person looked at {texts} drawn by "
            "chance without seeing ours.",
            is_accuracy=True,
        )
    final = metrics["final"]
    if "accuracy_interval" in (uncorrected := final.get("uncorrected", {})):
        return _measured(uncorrected, "of the labels that nobody corrected")
    if "accuracy_interval" in final:
        return _measured(final, "of the labels")
    rows = metrics["rows"]
    measure = f"A blind sheet of {min(rows, USUAL_ROWS)} rows measures it (python -m freeal certify)."
    if rows < FEWEST_ROWS:
        measure = "So few rows are soon looked at by a person."
    return Headline(
        plural(rows, "row"),
        "labelled, and nobody has measured how many of the labels are right. Language model and student agree on "
        f"{percent(final['llm_student_agreement'])}, which is no accuracy: both may be wrong together. {measure}",
        is_accuracy=False,
    )


def _measured(found: Mapping[str, Any], what: str) -> Headline:
    low, high = found["accuracy_interval"]
    of = plural(found["evaluated_rows"], "row")
    sentence = f"{what} are right, between {percent(low)} and {percent(high)}, measured on {of} with a true label."
    return Headline(percent(found["accuracy"]), sentence, is_accuracy=True)


def headline_on_page(headline: Headline) -> Markup:
    """The headline between its two marks."""
    kind = "measured" if headline.is_accuracy else "unmeasured"
    inner = element(
        "p",
        {"class": f"headline {kind}"},
        element("strong", None, headline.number),
        " ",
        element("span", None, headline.sentence),
    )
    return Markup(f"{BEGIN}{inner}{END}")  # noqa: S704 - both are made here, of escaped parts


def put_into_page(page: str, headline: Headline) -> str:
    """A finished report with this headline in place of the one it has; as it is where it was written without one."""
    return _BLOCK.sub(lambda _: str(headline_on_page(headline)), page, count=1)
