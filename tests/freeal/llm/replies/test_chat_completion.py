"""freeal/llm/replies: a response of a chat completions server as a reply, or as the error it tells of."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeal.annotation.reply_parser import read_reply
from freeal.errors import AccountError, LlmError, RowRejectedError, SpendCapError, TransientError
from freeal.llm.replies.reply_or_error import Response, read_chat_response

LABELS = ("positive", "negative")
ANSWER = json.dumps({"label": "negative", "confidence": 0.9})
DRAFT = json.dumps({"label": "positive", "confidence": 0.5})
USAGE = {"prompt_tokens": 50, "completion_tokens": 1_024}


def response(body, *, status=200, content_type="application/json", **headers):
    """A response as it comes from the client."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status=status, headers={"content-type": content_type, **headers}, content=content, now=0.0)


def chat(content, finish="stop", **message):
    """The body of a chat completion."""
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content, **message}}
    return {"choices": [choice], "usage": USAGE}


def stream(*chunks, end=b"data: [DONE]\n\n"):
    """Server-sent events, a comment first."""
    return b": working\n\n" + b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + end


def delta(finish=None, **fields):
    """A chunk of a stream."""
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


CALL = {"id": "c1", "type": "function", "function": {"name": "answer", "arguments": ANSWER}}
ANSWERS = {
    "plain": chat(ANSWER),
    "in a fence": chat(f"```json\n{ANSWER}\n```"),
    "after thoughts": chat(f"<think>{DRAFT}</think>{ANSWER}"),
    "beside thoughts": chat(ANSWER, reasoning_content=DRAFT),
    "parts": chat(
        [{"type": "thinking", "thinking": [{"type": "text", "text": DRAFT}]}, {"type": "text", "text": ANSWER}]
    ),
    "parts with reasoning": chat([{"type": "reasoning", "text": DRAFT}, {"type": "output_text", "text": ANSWER}]),
    "an object as content": chat(json.loads(ANSWER)),
    "a tool call": chat(None, "tool_calls", tool_calls=[CALL]),
    "a tool call with an object": chat(
        None, "tool_calls", tool_calls=[{"function": {"name": "answer", "arguments": json.loads(ANSWER)}}]
    ),
    "a function call": chat(None, "function_call", function_call={"name": "answer", "arguments": ANSWER}),
    "where thoughts belong": chat(None, reasoning_content=ANSWER),
    "where thoughts belong, after them": chat("", reasoning=f"{DRAFT}</think>\n{ANSWER}"),
    "a text completion": {"choices": [{"text": ANSWER, "finish_reason": "stop"}]},
    "corrected aloud": chat(f"First guess: {DRAFT}. The end of it says the opposite, so: {ANSWER}"),
    "with a row of its own making": chat(f"{ANSWER}\n<text>great</text>\nLabel of this text: {DRAFT}"),
    "a call written out": chat(json.dumps({"name": "answer", "parameters": json.loads(ANSWER)})),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_found_where_servers_put_it(name):
    """And a draft never passes for one."""
    reply = read_chat_response(response(ANSWERS[name]), LABELS)
    assert ("answer", "negative") == (reply.outcome, read_reply(reply, LABELS).label)


def test_a_stream_that_nobody_asked_for_is_put_together():
    """Content in pieces, thoughts beside it, the usage in a chunk without choices."""
    chunks = [delta(role="assistant", reasoning_content=DRAFT), delta(content=ANSWER[:9]), delta(content=ANSWER[9:])]
    whole = stream(*chunks, delta("stop"), {"choices": [], "usage": USAGE})
    reply = read_chat_response(response(whole, content_type="text/event-stream"), LABELS)
    assert ("negative", 1_024) == (read_reply(reply, LABELS).label, reply.usage.output_tokens)


def test_a_tool_call_is_put_together_from_its_pieces():
    """By its index."""
    pieces = [delta(tool_calls=[{"index": 0, "function": {"arguments": part}}]) for part in (ANSWER[:5], ANSWER[5:])]
    reply = read_chat_response(response(stream(*pieces, delta("tool_calls"))), LABELS)
    assert "negative" == read_reply(reply, LABELS).label


@pytest.mark.parametrize(
    ("body", "outcome", "words"),
    [
        (chat("", "length", reasoning_content="hm"), "cut_off", "finish_reason 'length' after 1,024 tokens, thoughts"),
        (chat(f"<think>{DRAFT}", "length"), "cut_off", "thoughts among them"),
        (chat(None, reasoning_content="I say " + DRAFT), "empty", "empty content beside thoughts"),
        (chat(""), "empty", "with empty content"),
        (chat(f"<think>{DRAFT}</think>"), "empty", "beside thoughts"),
        (chat(None, refusal="I cannot help with that."), "refused", "I cannot help with that."),
        (chat([{"type": "refusal", "refusal": "No."}]), "refused", "No."),
        (chat("", "content_filter"), "refused", "finish_reason 'content_filter'"),
        (chat(None, "SAFETY"), "refused", "SAFETY"),
    ],
)
def test_what_is_no_answer_says_so_in_the_servers_words(body, outcome, words):
    """Cut off, empty or refused, and never a label."""
    reply = read_chat_response(response(body), LABELS)
    assert outcome == reply.outcome
    assert words in reply.words
    assert None is read_reply(reply, LABELS).label


FILTERED = [
    (400, {"error": {"message": "The response was filtered", "code": "content_filter", "status": 400}}),
    (400, {"error": {"message": "Bad", "innererror": {"code": "ResponsibleAIPolicyViolation"}}}),
    (400, {"error": {"code": "data_inspection_failed", "message": "Input may contain inappropriate content."}}),
    (403, {"error": {"code": 403, "message": "m/x requires moderation. Your input was flagged for violence."}}),
    (200, {"error": {"code": 400, "message": "Output blocked by content filtering policy"}}),
    (422, {"detail": [{"loc": ["body"], "msg": "prohibited content"}]}),
]


@pytest.mark.parametrize(("status", "body"), FILTERED)
def test_a_filters_refusal_is_the_rows_own(status, body):
    """Whatever status it comes with: refused, with its words, and not billed."""
    reply = read_chat_response(response(body, status=status), LABELS)
    assert ("refused", 0) == (reply.outcome, reply.usage.output_tokens)
    assert reply.words


ERRORS = {
    "OpenRouter, 200": ({"error": {"message": "Rate limit exceeded", "code": 429}}, 200, TransientError),
    "in the choice": (
        {"choices": [{"error": {"code": 502, "message": "gone"}, "finish_reason": "error"}]},
        200,
        TransientError,
    ),
    "a bare string": ({"error": "model not loaded"}, 200, TransientError),
    "vLLM of old": (
        {"object": "error", "message": "odd", "type": "BadRequestError", "code": 400},
        400,
        RowRejectedError,
    ),
    "Gemini's list": (
        [{"error": {"code": 400, "message": "odd", "status": "INVALID_ARGUMENT"}}],
        400,
        RowRejectedError,
    ),
    "FastAPI": ({"detail": "Not Found"}, 404, AccountError),
    "Cloudflare": (
        {"success": False, "errors": [{"code": 10000, "message": "Authentication error"}]},
        401,
        AccountError,
    ),
    "credit": ({"error": {"message": "x", "code": "credit_balance_exhausted"}}, 429, SpendCapError),
    "organization": ({"error": {"message": "x", "code": "organization_spend_limit_exceeded"}}, 400, SpendCapError),
    "project": ({"error": {"message": "x", "code": "project_spend_limit_exceeded"}}, 200, SpendCapError),
    "an account that was flagged": ({"error": {"message": "Your account was flagged"}}, 403, AccountError),
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_heard_whatever_form_it_has(name):
    """After 200, too; its words are in the message."""
    body, status, kind = ERRORS[name]
    with pytest.raises(LlmError) as caught:
        read_chat_response(response(body, status=status), LABELS)
    assert kind is type(caught.value)
    assert caught.value.said in str(caught.value)


def test_a_rate_limit_in_a_body_says_when_to_come_back():
    """In its words, or in the headers it repeats, whose reset is a time in milliseconds."""
    told = {"X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1700000060000"}
    error = {"message": "Rate limit exceeded", "code": 429, "metadata": {"headers": told}}
    came = Response(status=200, headers={}, content=json.dumps({"error": error}).encode(), now=1_700_000_000.0)
    with pytest.raises(TransientError) as caught:
        read_chat_response(came, LABELS)
    assert ("rate_limit", 60.0) == (caught.value.trouble, caught.value.retry_after_seconds)
    with pytest.raises(TransientError) as caught:
        read_chat_response(response({"error": {"message": "Slow down, try again in 1m2s."}}, status=429), LABELS)
    assert 62.0 == caught.value.retry_after_seconds


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "its body is empty"),
        (b"<html><head><title>Please log in</title></head></html>", "web page .'Please log in'.*llm.base_url"),
        (b'{"choices": [', "breaks off"),
        (b"[" * 100_000, "breaks off"),
        (b"\xff\xfe\x00garbage", "it is no JSON but"),
        (b'{"hello": 1}', "unknown form"),
        (b'{"choices": []}', "no choices"),
        (b"data: {broken\n\n", "breaks off"),
        (stream(delta(content="x"), end=b""), "its stream breaks off"),
    ],
)
def test_what_cannot_be_read_says_what_it_is(body, words):
    """In words of this world, never an exception's name; it may have been billed."""
    with pytest.raises(TransientError, match=words) as caught:
        read_chat_response(response(body), LABELS)
    assert "lost_reply" == caught.value.trouble
    assert "Error" not in str(caught.value)


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.sampled_from(["stop", "text", ANSWER, ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "message",
                    "content",
                    "error",
                    "delta",
                    "usage",
                    "tool_calls",
                    "function",
                    "arguments",
                    "type",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(anything, st.sampled_from([200, 400, 500]))
def test_any_json_is_a_reply_or_an_error_of_ours(body, status):
    """Whatever a server invents: nothing else comes out."""
    try:
        reply = read_chat_response(response(body, status=status), LABELS)
    except LlmError as error:
        assert str(error)  # noqa: PT017 - both ways out are right
    else:
        read_reply(reply, LABELS)
