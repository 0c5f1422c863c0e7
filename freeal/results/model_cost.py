"""What a model cost altogether: its last run, the runs of the versions before it, and those that never came to an end.

A version carries the bills of the ones before it, so that the sum holds where they are deleted, or the answer store is.
A bill is known by its id: what is added up again after a crash is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from freeal.llm.store.bill_records import JobBill

KEY = "model_cost"
"""Of metrics.json."""


def altogether(
    cost: Mapping[str, Any], bills: Iterable[JobBill], *, job_id: str, before: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """`model_cost` of metrics.json: `cost` is that of the run of `job_id`, `bills` are what the answer store knows of
    the model, `before` the metrics of versions that this one comes from, or takes the place of."""
    found = {one["id"]: one for metrics in before for one in _told(metrics)}
    for one in bills:
        is_priced = cost["is_priced"] if one.job == job_id else found.get(one.id, {}).get("is_priced", True)
        found[one.id] = {
            "id": one.id,
            "job": one.job,
            "usd": round(one.bill.usd, 6),
            "is_priced": is_priced,
            "unconfirmed_usd": round(one.bill.unconfirmed_usd, 6),
            "calls": one.bill.usage.calls,
        }
    every = [one for one in found.values() if one["calls"] or one["unconfirmed_usd"]]
    return {
        "usd": round(sum(one["usd"] for one in every), 6),
        "is_priced": all(one["is_priced"] for one in every),
        "unconfirmed_usd": round(sum(one["unconfirmed_usd"] for one in every), 6),
        "calls": sum(one["calls"] for one in every),
        "bills": every,
    }


def of_earlier_runs(metrics: Mapping[str, Any]) -> bool:
    """Whether a model cost more than its last run did."""
    cost, model = metrics["cost"], metrics.get(KEY)
    return model is not None and any(model[key] != cost[key] for key in ("usd", "unconfirmed_usd", "calls"))


def _told(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    if KEY in metrics:
        return list(metrics[KEY]["bills"])
    cost = metrics["cost"]  # of a version from before there were bills: its own run's is what is known
    amounts = {key: cost.get(key, 0) for key in ("usd", "unconfirmed_usd", "calls")}
    return [{"id": metrics["job"], "job": metrics["job"], "is_priced": cost.get("is_priced", True), **amounts}]
