"""freeal/llm/providers/anthropic.py against a real socket."""

from __future__ import annotations

import json

import anthropic
import anyio
import httpx2
import pytest

from freeal.annotation.prompts import label_prompt, writing_prompt
from freeal.annotation.reply_parser import read_reply
from freeal.errors import AccountError, LlmError, RowRejectedError, SpendCapError, TransientError
from freeal.llm.limits.retry import Retry
from freeal.llm.network_route import Route
from freeal.llm.providers.anthropic import DEFAULT_MODEL, AnthropicModel, error_of_anthropic_client
from freeal.money.call_ceiling import LABEL_OUTPUT_TOKENS, WRITING_OUTPUT_TOKENS
from freeal.testing.server import Fault, MessagesServer
from freeal.types import Demonstration, Status, Usage

pytestmark = pytest.mark.anyio


def by_keyword(text):
    return "positive" if "good" in text else "negative"


@pytest.fixture
def ask(key, retry):
    """Ask a server a prompt through a fresh client."""

    async def ask_once(server, prompt, **options):
        model = AnthropicModel(key, retry=retry, base_url=server.base_url, **options)
        try:
            return (await model.answer([prompt]))[0]
        finally:
            await model.aclose()

    return ask_once


async def test_a_label_comes_back_with_its_usage(ask, prompt):
    """The structured answer is read and every billed token is counted."""
    with MessagesServer(by_keyword) as server:
        reply = await ask(server, prompt)
        assert ("positive", Status.OK) == (
            read_reply(reply, prompt.labels).label,
            read_reply(reply, prompt.labels).status,
        )
        assert server.billed == reply.usage
        assert 1 == reply.usage.calls


async def test_the_request_says_what_new_models_want(ask, prompt):
    """Schema with the labels, low effort, no thinking, a bounded answer; no sampling, prefill or forced tool."""
    with MessagesServer(by_keyword, key="sk-ant-test") as server:
        await ask(server, prompt)
        body = server.requests[0].body
    assert {"model", "max_tokens", "system", "messages", "output_config", "thinking"} == set(body)
    assert DEFAULT_MODEL == body["model"]
    assert LABEL_OUTPUT_TOKENS == body["max_tokens"]
    assert ["positive", "negative"] == body["output_config"]["format"]["schema"]["properties"]["label"]["enum"]
    assert False is body["output_config"]["format"]["schema"]["additionalProperties"]
    assert "low" == body["output_config"]["effort"]
    assert ["user"] == [message["role"] for message in body["messages"]]


async def test_the_row_and_the_demonstrations_stay_out_of_the_system_prompt(ask, task):
    """Strangers' texts stand in the user's turn, the row behind the end of the cached prefix."""
    prompt = label_prompt(task, "ROW", style="chat", shared=[Demonstration("DEMO", "positive", "user")])
    with MessagesServer(by_keyword) as server:
        await ask(server, prompt)
        body = server.requests[0].body
    assert "DEMO" not in json.dumps(body["system"])
    assert "ROW" not in json.dumps(body["system"])
    shared, specific = body["messages"][0]["content"]
    assert {"type": "ephemeral"} == shared["cache_control"]
    assert "DEMO" in shared["text"]
    assert "ROW" in specific["text"]
    assert "cache_control" not in specific


async def test_a_shared_prefix_is_read_from_the_cache(ask, task):
    """The second request with the same long prefix reads what the first one wrote."""
    shared = [Demonstration("a long demonstration " * 40, "positive", "user") for _ in range(5)]
    with MessagesServer(by_keyword) as server:
        first = await ask(server, label_prompt(task, "one", style="chat", shared=shared))
        second = await ask(server, label_prompt(task, "two", style="chat", shared=shared))
    assert 0 == first.usage.cached_tokens == second.usage.cache_write_tokens
    assert 500 < first.usage.cache_write_tokens == second.usage.cached_tokens < second.usage.input_tokens


async def test_written_demonstrations_have_room(ask, task):
    """A prompt without labels asks for a list of texts and allows a long answer."""
    with MessagesServer(by_keyword) as server:
        reply = await ask(server, writing_prompt(task, task.labels[0], prototypes=["x"], count=5))
        body = server.requests[0].body
    assert WRITING_OUTPUT_TOKENS == body["max_tokens"]
    assert 5 == len(json.loads(reply.text)["texts"])


async def test_a_server_that_stays_broken_is_a_transient_error(ask, prompt, time):
    """After all tries the last error comes out; retry-after was waited in full each time."""
    with MessagesServer(by_keyword, faults=[Fault("429", 120.0)] * 3) as server:
        with pytest.raises(TransientError, match="429"):
            await ask(server, prompt)
        assert 3 == len(server.requests)
    assert [120.0, 120.0] == time.slept


async def test_nobody_listening_is_a_transient_error(ask, prompt):
    """A refused connection can pass: the server may be restarting."""
    with MessagesServer(by_keyword) as server:
        pass
    with pytest.raises(TransientError, match="cannot be reached"):
        await ask(server, prompt)


async def test_a_model_without_effort_costs_one_refused_call(key, retry, prompt):
    """A 400 that names effort drops it once; later calls of this model leave it out at once."""
    with MessagesServer(
        by_keyword, fault_for=lambda body: "400 effort" if "effort" in body["output_config"] else None
    ) as server:
        model = AnthropicModel(key, retry=retry, base_url=server.base_url)
        replies = await model.answer([prompt, prompt, prompt])
        await model.aclose()
        assert ["positive"] * 3 == [read_reply(reply, prompt.labels).label for reply in replies]
        assert 4 == len(server.requests)


async def test_a_call_under_way_is_finished_although_cancelled(key, retry, prompt):
    """A stop waits for an answer that is already paid for, so that it can be kept."""
    replies = []
    with MessagesServer(by_keyword, faults=[Fault("slow", 0.5)]) as server:
        model = AnthropicModel(key, retry=retry, base_url=server.base_url)
        with anyio.move_on_after(0.1) as scope:
            replies += await model.answer([prompt])
        await model.aclose()
    assert scope.cancel_called
    assert "positive" == read_reply(replies[0], prompt.labels).label


async def test_a_stop_ends_a_row_of_calls(key, retry, prompt):
    """Although each is finished once it is under way: a stop came only after the last text of the round."""
    with MessagesServer(by_keyword, fault_for=lambda _: Fault("slow", 0.2)) as server:
        model = AnthropicModel(key, retry=retry, base_url=server.base_url)
        with anyio.move_on_after(0.1) as scope:
            for _ in range(5):
                await model.answer([prompt])
        await model.aclose()
    assert scope.cancelled_caught
    assert 1 == len(server.requests)


async def test_a_cancelled_call_is_not_tried_again(key, prompt):
    """A stop does not wait for another attempt, however long the server asks to be left alone."""
    with MessagesServer(by_keyword, faults=[Fault("429", 60.0)]) as server:
        model = AnthropicModel(key, retry=Retry(3), base_url=server.base_url)
        with anyio.move_on_after(0.3) as scope:
            await model.answer([prompt])
        await model.aclose()
    assert scope.cancelled_caught
    assert 1 == len(server.requests)


EXPECTED_ERRORS = {
    "APIConnectionError": TransientError,
    "APITimeoutError": TransientError,
    "APIResponseValidationError": TransientError,
    "RetryableError": TransientError,
    "RequestTimeoutError": TransientError,
    "ConflictError": TransientError,
    "ClientClosedRequestError": TransientError,
    "InternalServerError": TransientError,
    "ServiceUnavailableError": TransientError,
    "GatewayTimeoutError": TransientError,
    "DeadlineExceededError": TransientError,
    "OverloadedError": TransientError,
    "CMEKContextUnavailableError": TransientError,
    "CMEKKeyUnreachableError": TransientError,
    "RateLimitError": TransientError,
    "RampLimitExceededError": TransientError,
    "PaymentRequiredError": SpendCapError,
    "ContractSpendLimitReachedError": SpendCapError,
    "EnforcedSpendLimitReachedError": SpendCapError,
    "LinkedOrganizationBillingUnavailableError": SpendCapError,
    "LinkedOrganizationSpendLimitReachedError": SpendCapError,
    "AuthenticationError": AccountError,
    "PermissionDeniedError": AccountError,
    "NotFoundError": AccountError,
    "RequestHeaderFieldsTooLargeError": AccountError,
    "HTTPNotImplementedError": AccountError,
    "SandboxEgressRestrictedError": AccountError,
    "AnthropicError": AccountError,
    "APIError": AccountError,
    "APIWebhookValidationError": AccountError,
    "CredentialsError": AccountError,
    "IdentityTokenFileError": AccountError,
    "APIStatusError": RowRejectedError,
    "BadRequestError": RowRejectedError,
    "PreconditionFailedError": RowRejectedError,
    "ContentTooLargeError": RowRejectedError,
    "RequestTooLargeError": RowRejectedError,
    "RequestBodyTooLargeAfterDecodingError": RowRejectedError,
    "UnprocessableEntityError": RowRejectedError,
    "ClaudeCodeKeyCreatorNotMemberError": RowRejectedError,
    "ClaudeCodeVersionTooOldError": RowRejectedError,
    "CMEKKeyDisabledError": RowRejectedError,
    "CMEKKeyNetworkBlockedError": RowRejectedError,
    "OrganizationOnHoldError": RowRejectedError,
    "OrganizationTypeNotSupportedError": RowRejectedError,
    "ParentOrganizationRequiredError": RowRejectedError,
    "RequestBodyEncodingInvalidError": RowRejectedError,
    "RequestBodyEncodingUnsupportedError": RowRejectedError,
}


ROUTE = Route("https://api.anthropic.com")


def example_of(name):
    """An exception of that class, as the client would raise it."""
    from anthropic._error_classes import ERROR_CLASSES

    kind = getattr(anthropic, name)
    request = httpx2.Request("POST", "http://127.0.0.1/v1/messages")
    if issubclass(kind, anthropic.APIStatusError):
        status, code = next((pair for pair, known in ERROR_CLASSES.items() if known is kind), (None, None))
        status = status or (500 if kind is anthropic.InternalServerError else 418)
        body = {"type": "error", "error": {"type": "some_error", "message": "m", "details": {"error_code": code}}}
        response = httpx2.Response(status, headers={"retry-after": "5"}, json=body, request=request)
        return kind("m", response=response, body=body)
    if issubclass(kind, anthropic.APITimeoutError):
        return kind(request)
    if issubclass(kind, anthropic.APIConnectionError):
        return kind(request=request)
    if issubclass(kind, anthropic.APIResponseValidationError):
        return kind(httpx2.Response(200, request=request), None)
    return kind("m", request, body=None) if issubclass(kind, anthropic.APIError) else kind("m")


def test_every_exception_of_the_client_has_its_place():
    """A class that a later release of the client adds is missing here until someone has thought about it."""
    public = {
        name
        for name in anthropic.__all__
        if isinstance(getattr(anthropic, name), type) and issubclass(getattr(anthropic, name), Exception)
    }
    assert set(EXPECTED_ERRORS) == public


@pytest.mark.parametrize("name", EXPECTED_ERRORS)
def test_exceptions_are_translated(name):
    """Each class of the client becomes exactly the class the error tree says."""
    ours = error_of_anthropic_client(example_of(name), route=ROUTE)
    assert EXPECTED_ERRORS[name] is type(ours)
    assert isinstance(ours, LlmError)


def test_a_monthly_limit_with_retry_after_is_a_spend_cap():
    """Waiting out a retry-after does not help when the month's money is gone."""
    request = httpx2.Request("POST", "http://127.0.0.1/v1/messages")
    message = "This request would exceed your account's monthly spend limit."
    body = {"error": {"type": "rate_limit_error", "message": message}}
    response = httpx2.Response(429, headers={"retry-after": "600"}, json=body, request=request)
    error = anthropic.RateLimitError("m", response=response, body=body)
    assert SpendCapError is type(error_of_anthropic_client(error, route=ROUTE))


def test_usage_of_nothing_is_nothing():
    """Usage adds up field by field."""
    assert Usage(2, 4, 6, 8, 10) == Usage(1, 2, 3, 4, 5) + Usage(1, 2, 3, 4, 5) + Usage()
