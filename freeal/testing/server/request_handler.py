"""One connection: reading requests, and sending replies whole or broken."""

from __future__ import annotations

import json
import socket
import struct
import urllib.parse
from http.server import BaseHTTPRequestHandler

from freeal.testing.server.batch_endpoints import PATH as BATCHES_PATH
from freeal.testing.server.batch_endpoints import operation_of
from freeal.testing.server.faults import REFUSALS, Fault
from freeal.testing.server.http_response import Form, Response, answered, refused_response
from freeal.testing.server.message_service import Messages

_FORMS: dict[str, Form] = {"/v1/messages": "anthropic", "/v1/chat/completions": "openai"}
_FOR_EVER_SECONDS = 3600.0
_PAGE = b"<html><head><title>Please log in to this network</title></head></html>"


class Handler(BaseHTTPRequestHandler):
    """Serves the `Messages` that its server holds as `messages`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Tests print enough."""

    def do_GET(self) -> None:
        """Batches."""
        self._dispatch()

    def do_POST(self) -> None:
        """Messages, chat completions and batches."""
        self._dispatch()

    def do_DELETE(self) -> None:
        """Batches."""
        self._dispatch()

    @property
    def _messages(self) -> Messages:
        held: Messages = self.server.messages  # type: ignore[attr-defined]
        return held

    def _dispatch(self) -> None:
        length = int(self.headers.get("content-length", "0"))
        content = self.rfile.read(length)
        if len(content) < length:
            raise ConnectionResetError("the request broke off")
        headers = {name.lower(): value for name, value in self.headers.items()}
        url = urllib.parse.urlsplit(self.path)
        form = _FORMS.get(url.path)
        if form is not None and self.command == "POST":
            self._handle_message(url.path, headers, content=content, form=form)
        elif url.path == BATCHES_PATH or url.path.startswith(f"{BATCHES_PATH}/"):
            self._handle_batch(url, headers, content)
        else:
            self._send_response(refused_response(REFUSALS["404"]), form="anthropic")

    def _handle_message(self, path: str, headers: dict[str, str], *, content: bytes, form: Form) -> None:
        with self._messages.received(path, headers, json.loads(content)) as request:
            fault = request.fault
            response = _refusal_of_fault(fault, form)
            peer_left = False
            if response is None:
                waits = _FOR_EVER_SECONDS if fault is not None and fault.kind == "hang" else self._seconds(fault)
                peer_left = waits > 0 and self._peer_leaves_within(waits)
                if fault is None or fault.kind != "hang":
                    # Generated and billed, even where nobody is left to take it.
                    response = answered(self._messages.completion(request, form))
        # No longer under way: a client that has its answer may send the next request at once.
        if response is None or peer_left:
            self.close_connection = True
        else:
            self._deliver_response(response, fault, form)

    def _seconds(self, fault: Fault | None) -> float:
        slow_seconds = fault.seconds if fault is not None and fault.kind == "slow" else 0.0
        return self._messages.latency_seconds + slow_seconds

    def _handle_batch(self, url: urllib.parse.SplitResult, headers: dict[str, str], content: bytes) -> None:
        operation = operation_of(self.command, url.path)
        if operation is None:
            self._send_response(refused_response(REFUSALS["404"]), form="anthropic")
            return
        batches = self._messages.batches
        fault = batches.called(operation)
        if not self._messages.accepts_key(headers, "anthropic"):
            fault = Fault("401")
        response = _refusal_of_fault(fault, "anthropic")
        if response is None and fault is not None and fault.kind in {"hang", "slow"}:
            waits = _FOR_EVER_SECONDS if fault.kind == "hang" else fault.seconds
            if self._peer_leaves_within(waits):
                self.close_connection = True
                return
        if response is None:
            response = batches.respond(
                operation,
                url.path,
                query=dict(urllib.parse.parse_qsl(url.query)),
                content=content,
                base_url=f"http://{headers['host']}",
            )
        self._deliver_response(response, fault, "anthropic")

    def _peer_leaves_within(self, seconds: float) -> bool:
        """Wait like a slow server, but stop as soon as the client hangs up."""
        self.connection.settimeout(seconds)
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except OSError as error:
            return not isinstance(error, TimeoutError)
        finally:
            self.connection.settimeout(None)

    def _deliver_response(self, response: Response, fault: Fault | None, form: Form) -> None:
        kind, seconds = (fault.kind, fault.seconds) if fault is not None else ("", 0.0)
        content = response.content
        if kind == "reset":
            self._send_response(Response(200, content[: len(content) // 2]), form=form, announced=len(content))
            # A linger of zero seconds makes close() send RST, as a dying proxy does.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        elif kind == "drip":
            self._drip_response(content, seconds, form)
        elif kind == "empty body":
            self._send_response(Response(200, b""), form=form)
        elif kind == "truncated json":
            self._send_response(Response(200, content[:-20]), form=form)
        elif kind == "not json":
            self._send_response(Response(200, _PAGE, content_type="text/html"), form=form)
        else:
            self._send_response(response, form=form)

    def _drip_response(self, content: bytes, seconds: float, form: Form) -> None:
        self._send_response(Response(200, b""), form=form, announced=len(content))
        for position in range(len(content)):
            if self._peer_leaves_within(seconds):
                self.close_connection = True
                return
            self.wfile.write(content[position : position + 1])

    def _send_response(self, response: Response, *, form: Form, announced: int | None = None) -> None:
        self.send_response(response.status)
        headers = {
            "content-type": response.content_type,
            "content-length": str(len(response.content) if announced is None else announced),
            "request-id": "req_test",
            **self._messages.sending(response.status, form),
            **response.headers,
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.content)


def _refusal_of_fault(fault: Fault | None, form: Form) -> Response | None:
    """The error reply of a fault that is one."""
    if fault is None or fault.kind not in REFUSALS:
        return None
    wait_seconds = fault.seconds if fault.kind == "429" else None
    return refused_response(REFUSALS[fault.kind], form, retry_after_seconds=wait_seconds)
