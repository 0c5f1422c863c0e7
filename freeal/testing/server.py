"""A language model server on loopback, for tests: the Messages API and chat completions, with faults on demand.

    with MessagesServer(answer=lambda text: "positive" if "good" in text else "negative") as server:
        AnthropicModel(key, base_url=server.base_url, ...)          # OpenAIModel(base_url=server.base_url + "/v1", ...)
        server.requests, server.billed

It answers over real sockets, so clients, time limits and broken connections are the real ones.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self

from freeal.testing.chat import text_of
from freeal.types import Usage

FaultKind = Literal[
    "400", "401", "402", "403", "404", "413", "429", "429 without retry-after", "500", "529", "400 effort",
    "400 credit", "reset", "slow", "drip", "empty body", "truncated json", "refusal", "max_tokens", "outside the set",
    "sentence", "wrong case",
]  # fmt: skip

_MINIMUM_CACHED_TOKENS = 512
_ERROR_TYPES = {
    400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error",
    404: "not_found_error", 413: "invalid_request_error", 429: "rate_limit_error", 500: "api_error",
    529: "overloaded_error",
}  # fmt: skip
_ERROR_MESSAGES: dict[str, str] = {
    "400 effort": "This model does not support the effort parameter.",
    "400 credit": "Your credit balance is too low to access the Anthropic API.",
}
_ASKED_LABEL = re.compile(r'whose label is clearly "(.*?)"')


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request. `seconds`: `retry-after` of a 429, delay of `slow`, of each byte for `drip`."""

    kind: FaultKind
    seconds: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived, and what was done to it."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    fault: Fault | None


class MessagesServer:
    """A server that labels the text between the last text tags by `answer`.

    `write(label, number)` makes demonstrations. `faults` are used up, one per request in the order of arrival (None: no
    fault); `fault_for`, asked for the others, decides by the request's JSON body. `key` is the only one accepted, any
    when None. `billed` counts the tokens of every reply that was generated, whether or not it arrived.
    """

    def __init__(
        self,
        answer: Callable[[str], str],
        *,
        write: Callable[[str, int], str] = "{0} example {1}".format,
        faults: Iterable[Fault | FaultKind | None] = (),
        fault_for: Callable[[Mapping[str, Any]], Fault | FaultKind | None] = lambda body: None,  # noqa: ARG005
        key: str | None = None,
    ) -> None:
        self.requests: list[Received] = []
        self.billed = Usage()
        self._answer = answer
        self._write = write
        self._faults = collections.deque(faults)
        self._fault_for = fault_for
        self._key = key
        self._cached_prefixes: set[str] = set()
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._http.daemon_threads = True
        self._http.block_on_close = False
        self._http.messages_server = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def base_url(self) -> str:
        """`http://127.0.0.1:<port>`; chat completions are below `/v1`."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def accept(self, path: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> Fault | None:
        """Record a request and decide its fault."""
        with self._lock:
            fault = self._faults.popleft() if self._faults else self._fault_for(body)
            if self._key is not None and self._key not in (
                headers.get("x-api-key"),
                headers.get("authorization", "").removeprefix("Bearer "),
            ):
                fault = "401"
            fault = Fault(fault) if isinstance(fault, str) else fault
            self.requests.append(Received(path, headers, body, fault))
            return fault

    def completion(self, body: Mapping[str, Any], fault: Fault | None) -> tuple[str, str, Usage]:
        """Text, stop reason and usage of the reply to a request of either form; bills it."""
        prompt = _content_text(body["messages"][-1]["content"])
        schema = _schema_of(body)
        text = self._text(prompt, schema, fault)
        stop_reason = {"refusal": "refusal", "max_tokens": "max_tokens"}.get(fault.kind if fault else "", "end_turn")
        with self._lock:
            usage = self._usage(body, prompt, text)
            self.billed = self.billed + usage
        return text, stop_reason, usage

    def _text(self, prompt: str, schema: Mapping[str, Any], fault: Fault | None) -> str:
        if "texts" in schema:
            asked = _ASKED_LABEL.search(prompt)
            label = asked.group(1) if asked else "text"
            return json.dumps({"texts": [self._write(label, number) for number in range(1, 6)]})
        label = self._answer(text_of(prompt))
        match fault.kind if fault else "":
            case "refusal":
                return ""
            case "max_tokens":
                return '{"label": "' + label[:2]
            case "outside the set":
                return json.dumps({"label": "none of these", "confidence": 0.9})
            case "sentence":
                return f"I would say that this one is {label}, all in all."
            case "wrong case":
                return label.swapcase()
        return json.dumps({"label": label, "confidence": 0.9})

    def _usage(self, body: Mapping[str, Any], prompt: str, text: str) -> Usage:
        prefix = _cacheable_prefix(body)
        prefix_tokens = len(prefix) // 4
        read = written = 0
        if prefix_tokens >= _MINIMUM_CACHED_TOKENS:
            read, written = (prefix_tokens, 0) if prefix in self._cached_prefixes else (0, prefix_tokens)
            self._cached_prefixes.add(prefix)
        input_tokens = max(len(prompt) // 4, prefix_tokens) + len(_content_text(body.get("system", ""))) // 4 + 20
        return Usage(1, input_tokens, read, 1 + len(text) // 4, written)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Tests print enough."""

    def do_POST(self) -> None:
        owner: MessagesServer = self.server.messages_server  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", "0"))))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if not ("x-api-key" in headers or "authorization" in headers) and self.path == "/v1/messages":
            self._send_error_body(401, "no key")
            return
        fault = owner.accept(self.path, headers, body)
        kind = fault.kind if fault else ""
        if kind[:3].isdigit():
            self._send_error_body(int(kind[:3]), _ERROR_MESSAGES.get(kind, "as scripted"), fault)
        elif kind == "slow" and fault and self._peer_leaves_within(fault.seconds):
            self.close_connection = True
        elif self.path not in ("/v1/messages", "/v1/chat/completions"):
            self._send_error_body(404, f"no such path: {self.path}")
        else:
            form = _message if self.path == "/v1/messages" else _chat_completion
            self._send_broken_or_whole(json.dumps(form(body, *owner.completion(body, fault))).encode(), fault)

    def _peer_leaves_within(self, seconds: float) -> bool:
        """Wait like a slow server, but stop as soon as the client hangs up."""
        self.connection.settimeout(seconds)
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except OSError as error:
            return not isinstance(error, TimeoutError)
        finally:
            self.connection.settimeout(None)

    def _send_broken_or_whole(self, content: bytes, fault: Fault | None) -> None:
        kind, seconds = (fault.kind, fault.seconds) if fault is not None else ("", 0.0)
        if kind == "reset":
            self._send(200, content[: len(content) // 2], announced=len(content))
            self.wfile.flush()
            # A linger of zero seconds makes close() send RST, as a dying proxy does.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        elif kind == "empty body":
            self._send(200, b"")
        elif kind == "drip":
            self._send_byte_by_byte(content, seconds)
        else:
            self._send(200, content[:-20] if kind == "truncated json" else content)

    def _send_byte_by_byte(self, content: bytes, seconds: float) -> None:
        self._send(200, b"", announced=len(content))
        for position in range(len(content)):
            if self._peer_leaves_within(seconds):
                self.close_connection = True
                return
            self.wfile.write(content[position : position + 1])

    def _send_error_body(self, status: int, message: str, fault: Fault | None = None) -> None:
        error = {"type": _ERROR_TYPES.get(status, "api_error"), "message": message}
        body = {"type": "error", "error": error, "request_id": "req_test"}
        extra = {"retry-after": f"{fault.seconds:g}"} if fault is not None and fault.kind == "429" else {}
        self._send(status, json.dumps(body).encode(), extra=extra)

    def _send(
        self, status: int, content: bytes, *, announced: int | None = None, extra: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        headers = {
            "content-type": "application/json",
            "content-length": str(len(content) if announced is None else announced),
            "request-id": "req_test",
            "anthropic-ratelimit-requests-limit": "1000",
            "anthropic-ratelimit-requests-remaining": "999",
            "anthropic-ratelimit-input-tokens-limit": "400000",
            "anthropic-ratelimit-input-tokens-remaining": "399000",
            "anthropic-ratelimit-output-tokens-limit": "80000",
            "anthropic-ratelimit-output-tokens-remaining": "79000",
            **(extra or {}),
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def _content_text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(str(block.get("text", "")) for block in content)


def _schema_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    held = body.get("output_config", {}).get("format") or body.get("response_format", {}).get("json_schema") or {}
    properties = held.get("schema", {}).get("properties", {})
    return properties if isinstance(properties, dict) else {}


def _cacheable_prefix(body: Mapping[str, Any]) -> str:
    blocks = [block for block in body.get("system", []) if isinstance(block, dict)]
    blocks += [block for block in body["messages"][-1]["content"] if isinstance(block, dict)]
    marked = [position for position, block in enumerate(blocks) if "cache_control" in block]
    return _content_text(blocks[: marked[-1] + 1]) if marked else ""


def _message(body: Mapping[str, Any], text: str, stop_reason: str, usage: Usage) -> dict[str, Any]:
    return {
        "id": "msg_test",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [{"type": "text", "text": text}] if text else [],
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens,
            "cache_read_input_tokens": usage.cached_tokens,
            "cache_creation_input_tokens": usage.cache_write_tokens,
            "output_tokens": usage.output_tokens,
        },
    }


def _chat_completion(body: Mapping[str, Any], text: str, stop_reason: str, usage: Usage) -> dict[str, Any]:
    finish = {"end_turn": "stop", "max_tokens": "length", "refusal": "content_filter"}[stop_reason]
    return {
        "id": "chatcmpl-test",
        "object": "chat.completion",
        "model": body["model"],
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        },
    }
