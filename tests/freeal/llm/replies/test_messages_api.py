"""freeal/llm/replies: a response of the Messages API, or of a gateway before it."""

from __future__ import annotations

import json

import pytest

from freeal.annotation.reply_parser import read_reply
from freeal.errors import SpendCapError, TransientError
from freeal.llm.replies.reply_or_error import Response, read_messages_response

LABELS = ("positive", "negative")
ANSWER = json.dumps({"label": "negative", "confidence": 0.9})
DRAFT = json.dumps({"label": "positive"})


def response(body, *, status=200, **headers):
    """A response of Anthropic, or of whoever stands before it."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status=status, headers=headers, content=content, now=0.0, is_anthropic=True)


def message(*blocks, stop="end_turn", **more):
    """The body of a message."""
    usage = {"input_tokens": 5, "cache_read_input_tokens": 3, "output_tokens": 1_024}
    return {
        "type": "message",
        "role": "assistant",
        "content": list(blocks),
        "stop_reason": stop,
        "usage": usage,
        **more,
    }


TEXT = {"type": "text", "text": ANSWER}


@pytest.mark.parametrize(
    "blocks",
    [
        [TEXT],
        [{"type": "thinking", "thinking": DRAFT, "signature": "s"}, TEXT],
        [{"type": "redacted_thinking", "data": "x"}, TEXT],
        [{"type": "text", "text": f"<thinking>{DRAFT}</thinking>{ANSWER}"}],
        [{"type": "tool_use", "id": "t", "name": "answer", "input": json.loads(ANSWER)}],
    ],
)
def test_an_answer_is_found_where_it_stands(blocks):
    """Text counts, a tool's input where there is none, a thought never; all input is counted."""
    reply = read_messages_response(response(message(*blocks)))
    assert ("answer", "negative") == (reply.outcome, read_reply(reply, LABELS).label)
    assert (8, 3, 1_024) == (reply.usage.input_tokens, reply.usage.cached_tokens, reply.usage.output_tokens)


@pytest.mark.parametrize(
    ("body", "outcome", "words"),
    [
        (
            message({"type": "thinking", "thinking": DRAFT}, stop="max_tokens"),
            "cut_off",
            "after 1,024 tokens, thoughts",
        ),
        (message(stop="refusal", stop_details={"category": "cyber"}), "refused", "cyber"),
        (message(), "empty", "without a text"),
    ],
)
def test_what_is_no_answer_says_so(body, outcome, words):
    """In the server's words."""
    reply = read_messages_response(response(body))
    assert outcome == reply.outcome
    assert words in reply.words


def test_a_stream_is_put_together():
    """A gateway that streams whatever is asked."""
    events = [
        {"type": "message_start", "message": {"usage": {"input_tokens": 5}, "content": []}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": DRAFT}},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": ANSWER[:7]}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": ANSWER[7:]}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 12}},
        {"type": "message_stop"},
    ]
    lines = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]
    reply = read_messages_response(response("".join(lines).encode()))
    assert ("negative", 5, 12) == (read_reply(reply, LABELS).label, reply.usage.input_tokens, reply.usage.output_tokens)
    with pytest.raises(TransientError, match="breaks off"):
        read_messages_response(response("".join(lines[:-1]).encode()))


def error(kind, words):
    """An error as the Messages API sends it."""
    return {"type": "error", "error": {"type": kind, "message": words}}


def test_a_limit_of_ones_own_is_a_pause_and_no_bad_row():
    """HTTP 400 with words alone (anthropics/anthropic-sdk-python#1646)."""
    words = "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."
    with pytest.raises(SpendCapError, match="regain access"):
        read_messages_response(response(error("invalid_request_error", words), status=400))


def test_silence_is_a_spend_limit_at_anthropic_alone():
    """Its answers carry the request's id; a gateway's own refusal does not, and is no hour's pause."""
    silent = error("rate_limit_error", "Too many requests")
    with pytest.raises(SpendCapError):
        read_messages_response(response(silent, status=429, **{"request-id": "req_1"}))
    with pytest.raises(TransientError) as caught:
        read_messages_response(response(silent, status=429))
    assert "rate_limit" == caught.value.trouble


def test_an_error_after_200_is_an_error():
    """A gateway that passes on the body and not the status."""
    with pytest.raises(TransientError) as caught:
        read_messages_response(response(error("overloaded_error", "Overloaded")))
    assert "unavailable" == caught.value.trouble
    refused = read_messages_response(
        response(error("invalid_request_error", "Output blocked by content filtering policy"))
    )
    assert "refused" == refused.outcome
