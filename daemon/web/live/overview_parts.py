"""The overview cut into parts, each a piece of HTML under a name, so that only what changed is sent."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from daemon.web.live.live_feed import View
from daemon.web.live.page_snapshot import Snapshot


def overview_parts(macros: Any, snapshot: Snapshot) -> View:
    """The overview of a snapshot; `macros` are those of `parts.html.j2`, which escape what they show."""
    parts: dict[str, str] = {
        "summary": macros.summary(snapshot),
        "alerts": macros.alerts(snapshot),
        "waiting": macros.waiting(snapshot.waiting),
        "predictions": macros.predictions(snapshot.predictions),
        "money": macros.money(snapshot.money),
        "health": macros.health(snapshot),
    }
    rows = {
        "jobs": [(f"job-{job.id}", macros.job_row(job)) for job in snapshot.jobs],
        "failures": [(f"job-{job.id}", macros.failure(job)) for job in snapshot.failed],
        "finished": [(f"job-{job.id}", macros.finished_row(job)) for job in snapshot.finished],
        "models": [(f"model-{one.name}", macros.model_card(one)) for one in snapshot.models],
    }
    parts |= {name: html for entries in rows.values() for name, html in entries}
    lists = {name: tuple(key for key, _ in entries) for name, entries in rows.items()}
    return View({name: Markup(html) for name, html in parts.items()}, lists)  # noqa: S704 - rendered above
