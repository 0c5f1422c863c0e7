"""The Message Batches protocol: anthropic.types.messages.MessageBatch and its results.

Time is the test's: a batch ends when it has been asked for often enough, or when the test says so.
"""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import json
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any, Literal

from freeal.testing.server.faults import REFUSALS, Fault, FaultOrKind, Refusal, fault_of
from freeal.testing.server.http_response import Response, answered, refused_response

PATH = "/v1/messages/batches"
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PROCESSED_FOR = datetime.timedelta(hours=24)
_STATES = ("processing", "succeeded", "errored", "canceled", "expired")

Operation = Literal["create", "list", "retrieve", "results", "cancel", "delete"]
Complete = Callable[[Mapping[str, Any], Fault | None], dict[str, Any]]
"""A request's params to a finished message, billed as part of a batch."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BatchRules:
    """How batches go. Kinds of fault: HTTP errors become `errored`, `expired` is itself, odd answers `succeeded`.

    `call_fault` is asked for every call of the protocol; a reply broken on its way out (`reset`) has had its effect.
    """

    polls_to_end: int | None = 1
    """Ended when `retrieve` was called this often; None: not before `Batches.end_all`."""
    done_before_cancel: int = 0
    """Of the requests of a cancelled batch, the first so many were under way and are answered all the same."""
    most_requests: int = 100_000
    most_bytes: int = 256_000_000
    request_fault: Callable[[str, Mapping[str, Any]], FaultOrKind] = lambda custom_id, params: None  # noqa: ARG005
    call_fault: Callable[[Operation], FaultOrKind] = lambda operation: None  # noqa: ARG005


@dataclasses.dataclass(slots=True)
class Batch:
    """One batch as the server knows it. `requests`: custom_id -> params, as submitted; `results` once it has ended."""

    id: str
    requests: dict[str, Mapping[str, Any]]
    created_at: datetime.datetime
    cancel_initiated_at: datetime.datetime | None = None
    ended_at: datetime.datetime | None = None
    polls: int = 0
    results: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    @property
    def processing_status(self) -> str:
        """`in_progress`, `canceling` or `ended`."""
        if self.ended_at is not None:
            return "ended"
        return "in_progress" if self.cancel_initiated_at is None else "canceling"

    def as_dict(self, base_url: str) -> dict[str, Any]:
        """anthropic.types.messages.MessageBatch."""
        counts = dict.fromkeys(_STATES, 0)
        for result in self.results.values():
            counts[result["type"]] += 1
        counts["processing"] = len(self.requests) - len(self.results)
        ended = self.ended_at is not None
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": self.processing_status,
            "request_counts": counts,
            "created_at": _timestamp(self.created_at),
            "expires_at": _timestamp(self.created_at + _PROCESSED_FOR),
            "ended_at": _timestamp(self.ended_at),
            "cancel_initiated_at": _timestamp(self.cancel_initiated_at),
            "archived_at": None,
            "results_url": f"{base_url}{PATH}/{self.id}/results" if ended else None,
        }

    def lines(self) -> bytes:
        """The results as JSONL, in another order than the requests'."""
        ids = list(self.results)
        ids = ids[1::2] + ids[::2]
        return b"".join(json.dumps({"custom_id": one, "result": self.results[one]}).encode() + b"\n" for one in ids)


class Batches:
    """All batches of one server. `calls` lists what it was asked, `created` the batches, oldest first."""

    def __init__(self, rules: BatchRules, complete: Complete, lock: threading.RLock) -> None:
        self.calls: list[Operation] = []
        self.created: list[Batch] = []
        self._rules = rules
        self._ids = (f"msgbatch_{number:024d}" for number in itertools.count(1))
        self._complete = complete
        self._lock = lock

    def end_all(self) -> None:
        """End every batch under way."""
        with self._lock:
            for batch in self.created:
                self._end_batch(batch)

    def called(self, operation: Operation) -> Fault | None:
        """Note a call and decide its fault."""
        with self._lock:
            self.calls.append(operation)
            return fault_of(self._rules.call_fault(operation))

    def respond(
        self, operation: Operation, path: str, *, query: Mapping[str, str], content: bytes, base_url: str
    ) -> Response:
        """Do what was asked."""
        with self._lock:
            if operation == "create":
                return self._create_batch(content, base_url)
            if operation == "list":
                return self._list_batches(query, base_url)
            batch_id = path.removeprefix(PATH).split("/")[1]
            found = [batch for batch in self.created if batch.id == batch_id]
            if not found:
                return refused_response(dataclasses.replace(REFUSALS["404"], message=f"there is no batch {batch_id}"))
            return self._respond_about_batch(operation, found[0], base_url)

    def _respond_about_batch(self, operation: Operation, batch: Batch, base_url: str) -> Response:
        ended = batch.ended_at is not None
        if operation == "results":
            if ended:
                return Response(200, batch.lines(), content_type="application/x-jsonl")
            return refused_response(_invalid(f"{batch.id} has no results before processing has ended"))
        if operation == "delete":
            if not ended:
                return refused_response(_invalid(f"{batch.id} must be canceled before it can be deleted"))
            self.created.remove(batch)
            return answered({"id": batch.id, "type": "message_batch_deleted"})
        if operation == "cancel":
            if ended:
                return refused_response(_invalid(f"{batch.id} has ended and cannot be canceled"))
            batch.cancel_initiated_at = batch.cancel_initiated_at or _now()
        elif not ended:
            batch.polls += 1
            to_end = self._rules.polls_to_end
            if batch.processing_status == "canceling" or (to_end is not None and batch.polls >= to_end):
                self._end_batch(batch)
        return answered(batch.as_dict(base_url))

    def _create_batch(self, content: bytes, base_url: str) -> Response:
        if len(content) > self._rules.most_bytes:
            return refused_response(REFUSALS["413"])
        submitted = json.loads(content).get("requests", [])
        if len(submitted) > self._rules.most_requests:
            return refused_response(REFUSALS["413"])
        requests = {str(request["custom_id"]): request["params"] for request in submitted}
        if not submitted:
            return refused_response(_invalid("requests: at least one is needed"))
        if len(requests) < len(submitted):
            return refused_response(_invalid("requests: custom_id must be unique within a batch"))
        if strange := [custom_id for custom_id in requests if not _ID.fullmatch(custom_id)]:
            return refused_response(_invalid(f"custom_id: {strange[0]!r} is not 1 to 64 letters, digits, '-' and '_'"))
        batch = Batch(next(self._ids), requests, _now())
        self.created.append(batch)
        return answered(batch.as_dict(base_url))

    def _list_batches(self, query: Mapping[str, str], base_url: str) -> Response:
        newest_first = self.created[::-1]
        ids = [batch.id for batch in newest_first]
        limit = int(query.get("limit", "20"))
        cursor = query.get("after_id") or query.get("before_id")
        if not 1 <= limit <= 1000 or (cursor is not None and cursor not in ids):
            return refused_response(_invalid("limit: 1 to 1000; after_id, before_id: the id of a batch"))
        if "before_id" in query:
            end = ids.index(query["before_id"])
            page, more = newest_first[max(0, end - limit) : end], end > limit
        else:
            start = ids.index(query["after_id"]) + 1 if "after_id" in query else 0
            page, more = newest_first[start : start + limit], len(ids) > start + limit
        return answered(
            {
                "data": [batch.as_dict(base_url) for batch in page],
                "has_more": more,
                "first_id": page[0].id if page else None,
                "last_id": page[-1].id if page else None,
            }
        )

    def _end_batch(self, batch: Batch) -> None:
        if batch.ended_at is not None:
            return
        cancelled = batch.cancel_initiated_at is not None
        most_done = self._rules.done_before_cancel if cancelled else len(batch.requests)
        for position, (custom_id, params) in enumerate(batch.requests.items()):
            done = position < most_done
            batch.results[custom_id] = self._batch_result(custom_id, params) if done else {"type": "canceled"}
        batch.ended_at = _now()

    def _batch_result(self, custom_id: str, params: Mapping[str, Any]) -> dict[str, Any]:
        fault = fault_of(self._rules.request_fault(custom_id, params))
        if fault is not None and fault.kind == "expired":
            return {"type": "expired"}
        if fault is not None and fault.kind in REFUSALS:
            return {"type": "errored", "error": REFUSALS[fault.kind].anthropic()}
        return {"type": "succeeded", "message": self._complete(params, fault)}


def operation_of(method: str, path: str) -> Operation | None:
    """What a call to a path below `PATH` asks for; None when there is no such call."""
    parts = path.removeprefix(PATH).strip("/").split("/")
    known: dict[tuple[str, int, str], Operation] = {
        ("POST", 1, ""): "create",
        ("GET", 1, ""): "list",
        ("GET", 1, "id"): "retrieve",
        ("DELETE", 1, "id"): "delete",
        ("GET", 2, "results"): "results",
        ("POST", 2, "cancel"): "cancel",
    }
    last = parts[-1] if len(parts) == 2 else "id" if parts[0] else ""
    return known.get((method, len(parts), last))


def _invalid(message: str) -> Refusal:
    return dataclasses.replace(REFUSALS["400"], message=message)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _timestamp(at: datetime.datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
