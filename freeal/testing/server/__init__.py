"""A language model server on loopback, for tests: messages, chat completions and batches, with limits and faults.

    with MessagesServer(answer=lambda text: "positive" if "good" in text else "negative") as server:
        AnthropicModel(key, base_url=server.base_url, ...)          # OpenAIModel(base_url=server.base_url + "/v1", ...)
        server.requests, server.statuses, server.billed, server.batches

It answers over real sockets, so clients, time limits and broken connections are the real ones.
"""

from __future__ import annotations

from freeal.testing.server.batch_endpoints import Batch, Batches, BatchRules, Operation
from freeal.testing.server.enforced_rate_limits import Limits
from freeal.testing.server.faults import Fault, FaultKind
from freeal.testing.server.http_server import MessagesServer
from freeal.testing.server.message_service import Received

__all__ = [
    "Batch",
    "BatchRules",
    "Batches",
    "Fault",
    "FaultKind",
    "Limits",
    "MessagesServer",
    "Operation",
    "Received",
]
