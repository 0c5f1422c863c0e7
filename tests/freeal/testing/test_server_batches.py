"""The Batches protocol of the shipped server, through the real client."""

from __future__ import annotations

import contextlib

import anthropic
import pytest

from freeal.settings import Price
from freeal.testing.server import BatchRules, Fault, MessagesServer
from freeal.types import Usage

PRICE = Price(input=1.0, output=5.0)


def mood(text):
    return "positive" if "good" in text else "negative"


def requests(count, *, prefix="row"):
    return [
        {
            "custom_id": f"{prefix}-{number}",
            "params": {
                "model": "claude-test",
                "max_tokens": 64,
                "messages": [{"role": "user", "content": f"<text>a {'good' if number % 2 else 'bad'} thing</text>"}],
            },
        }
        for number in range(count)
    ]


@pytest.fixture
def serve():
    """A server with these rules and a client for it."""
    with contextlib.ExitStack() as opened:

        def start(key=None, **rules):
            server = opened.enter_context(MessagesServer(mood, key=key, batch_rules=BatchRules(**rules)))
            client = anthropic.Anthropic(api_key="sk-ant-test", base_url=server.base_url, max_retries=0)
            return server, opened.enter_context(client)

        yield start


def results(client, batch_id):
    return list(client.messages.batches.results(batch_id))


def test_a_batch_runs_until_it_was_asked_for_often_enough_and_answers_in_another_order(serve):
    """Counts move all at once at the end; every custom_id comes back once, though not in the order of submission."""
    server, client = serve(polls_to_end=2)
    batch = client.messages.batches.create(requests=requests(5))
    first = client.messages.batches.retrieve(batch.id)
    assert ("in_progress", 5, None) == (first.processing_status, first.request_counts.processing, first.results_url)
    second = client.messages.batches.retrieve(batch.id)
    assert ("ended", 0, 5) == (
        second.processing_status,
        second.request_counts.processing,
        second.request_counts.succeeded,
    )
    lines = results(client, batch.id)
    submitted = [f"row-{number}" for number in range(5)]
    ids = [line.custom_id for line in lines]
    assert (submitted, True) == (sorted(ids), ids != submitted)
    assert {
        "row-0": '{"label": "negative", "confidence": 0.9}',
        "row-1": '{"label": "positive", "confidence": 0.9}',
    } == {line.custom_id: line.result.message.content[0].text for line in lines if line.custom_id < "row-2"}
    assert ["create", "retrieve", "retrieve", "retrieve", "results"] == server.batches.calls


def test_a_batch_costs_half(serve):
    """Tokens of a batch are counted apart from live ones, and only those of answers."""
    server, client = serve(request_fault=lambda custom_id, params: None if custom_id == "row-0" else "500")
    batch = client.messages.batches.create(requests=requests(3))
    message = next(line.result.message for line in results(client, batch.id) if line.custom_id == "row-0")
    used = Usage(1, message.usage.input_tokens, output_tokens=message.usage.output_tokens)
    assert (Usage(), used, "batch") == (server.billed, server.batch_billed, message.usage.service_tier)
    assert pytest.approx(0.5e-6 * (used.input_tokens + 5 * used.output_tokens)) == server.billed_usd(PRICE)


def test_every_type_of_result_is_one_the_client_knows(serve):
    """Errors keep their kind; what expired says so; an odd answer is a success."""
    faults = {"row-1": "400", "row-2": "529", "row-3": "expired", "row-4": "refusal"}
    _, client = serve(request_fault=lambda custom_id, params: faults.get(custom_id))
    batch = client.messages.batches.create(requests=requests(5))
    ended = client.messages.batches.retrieve(batch.id)
    assert {"processing": 0, "succeeded": 2, "errored": 2, "canceled": 0, "expired": 1} == (
        ended.request_counts.model_dump()
    )
    by_id = {line.custom_id: line.result for line in results(client, batch.id)}
    assert ["succeeded", "errored", "errored", "expired", "succeeded"] == [by_id[f"row-{n}"].type for n in range(5)]
    assert ["invalid_request_error", "overloaded_error"] == [by_id[f"row-{n}"].error.error.type for n in (1, 2)]
    assert "refusal" == by_id["row-4"].message.stop_reason


def test_a_cancelled_batch_answers_what_was_under_way(serve):
    """It is canceling for a while; then the rest is canceled and what was done is paid for."""
    server, client = serve(polls_to_end=None, done_before_cancel=1)
    batch = client.messages.batches.create(requests=requests(3))
    canceling = client.messages.batches.cancel(batch.id)
    assert ("canceling", True) == (canceling.processing_status, canceling.cancel_initiated_at is not None)
    ended = client.messages.batches.retrieve(batch.id)
    assert ("ended", 1, 2) == (ended.processing_status, ended.request_counts.succeeded, ended.request_counts.canceled)
    assert {"row-0": "succeeded", "row-1": "canceled", "row-2": "canceled"} == {
        line.custom_id: line.result.type for line in results(client, batch.id)
    }
    assert 1 == server.batch_billed.calls


def test_a_batch_may_wait_for_the_test_to_end_it(serve):
    """However often it is asked for."""
    server, client = serve(polls_to_end=None)
    batch = client.messages.batches.create(requests=requests(2))
    for _ in range(3):
        assert "in_progress" == (client.messages.batches.retrieve(batch.id)).processing_status
    with pytest.raises(anthropic.AnthropicError, match="results_url"):
        client.messages.batches.results(batch.id)
    server.batches.end_all()
    assert "ended" == (client.messages.batches.retrieve(batch.id)).processing_status


def test_batches_are_listed_newest_first_page_by_page(serve):
    """Forwards and backwards, and the client's own paging finds all of them."""
    _, client = serve()
    ids = [(client.messages.batches.create(requests=requests(1))).id for _ in range(5)][::-1]
    assert ids == [batch.id for batch in client.messages.batches.list(limit=2)]
    page = client.messages.batches.list(limit=2, before_id=ids[4])
    assert (ids[2:4], True) == ([batch.id for batch in page.data], page.has_more)
    page = client.messages.batches.list(limit=2, after_id=ids[2])
    assert (ids[3:], False, ids[3], ids[4]) == (
        [batch.id for batch in page.data],
        page.has_more,
        page.first_id,
        page.last_id,
    )


@pytest.mark.parametrize(
    ("rules", "submitted", "error"),
    [
        ({"most_requests": 2}, requests(3), anthropic.APIStatusError),
        ({"most_bytes": 300}, requests(3), anthropic.APIStatusError),
        ({}, [], anthropic.BadRequestError),
        ({}, requests(1) * 2, anthropic.BadRequestError),
        ({}, requests(1, prefix="not allowed"), anthropic.BadRequestError),
        ({}, requests(1, prefix="x" * 64), anthropic.BadRequestError),
    ],
)
def test_what_is_no_batch_is_refused(serve, rules, submitted, error):
    """Too many, too large (both 413), none, a custom_id twice or of a form that is not allowed."""
    server, client = serve(**rules)
    with pytest.raises(error) as refused:
        client.messages.batches.create(requests=submitted)
    assert (413 if rules else 400, []) == (refused.value.status_code, server.batches.created)


def test_a_batch_whose_confirmation_is_lost_exists(serve):
    """The reply breaks on its way; the list knows the batch, with as many requests as were sent."""
    faults = ["reset"]
    server, client = serve(call_fault=lambda operation: faults.pop() if operation == "create" and faults else None)
    with pytest.raises(anthropic.APIConnectionError):
        client.messages.batches.create(requests=requests(3))
    [listed] = list(client.messages.batches.list())
    assert (server.batches.created[0].id, 3) == (listed.id, listed.request_counts.processing)


def test_a_refused_call_has_no_effect(serve):
    """Unlike one whose reply is lost; a 429 says when to come back."""
    server, client = serve(call_fault=lambda operation: Fault("429", 7.0))
    with pytest.raises(anthropic.RateLimitError) as refused:
        client.messages.batches.create(requests=requests(3))
    assert ("7", []) == (refused.value.response.headers["retry-after"], server.batches.created)


def test_only_the_right_key_may_use_batches(serve):
    """As for messages."""
    server, client = serve(key="sk-ant-other")
    with pytest.raises(anthropic.AuthenticationError):
        client.messages.batches.create(requests=requests(1))
    assert [] == server.batches.created


def test_an_ended_batch_can_be_deleted_and_an_unknown_one_is_not_found(serve):
    """One that still runs can not; an ended one can not be canceled."""
    server, client = serve(polls_to_end=None)
    batch = client.messages.batches.create(requests=requests(1))
    with pytest.raises(anthropic.BadRequestError):
        client.messages.batches.delete(batch.id)
    server.batches.end_all()
    with pytest.raises(anthropic.BadRequestError):
        client.messages.batches.cancel(batch.id)
    assert batch.id == (client.messages.batches.delete(batch.id)).id
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.retrieve(batch.id)
