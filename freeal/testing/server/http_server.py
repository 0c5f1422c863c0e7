"""The sockets."""

from __future__ import annotations

import sys
import threading
from http.server import ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from freeal.testing.server.message_service import Messages
from freeal.testing.server.request_handler import Handler


class _Sockets(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    request_queue_size = 1024  # with the default of 5, a burst of clients waits seconds for its connections

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed has nothing to tell; what is a fault of ours is told as ever."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class MessagesServer(Messages):
    """`Messages` behind a loopback socket of its own, while the `with` block lasts."""

    _http: _Sockets
    _thread: threading.Thread

    @property
    def base_url(self) -> str:
        """`http://127.0.0.1:<port>`; chat completions are below `/v1`."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        self._http = _Sockets(("127.0.0.1", 0), Handler)
        self._http.messages = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
