"""The service without its sockets: what it was asked, what it permits, what it would have billed."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from freeal.money.prices import cost_usd
from freeal.settings import Price
from freeal.testing.server.batch_endpoints import Batches, BatchRules
from freeal.testing.server.enforced_rate_limits import Limits, Meter
from freeal.testing.server.faults import Fault, FaultOrKind, fault_of
from freeal.testing.server.http_response import Form
from freeal.testing.server.scripted_replies import Voice, chat_completion, counted_tokens, message_reply, spanish
from freeal.testing.server.token_usage import cacheable_prefix, input_usage_of
from freeal.types import Usage

_BATCH_DISCOUNT = 0.5


@dataclasses.dataclass(frozen=True, slots=True)
class Received:
    """One request for a message as it arrived, and what was done to it; `asked` counts its input tokens."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    fault: Fault | None
    asked: Usage


class Messages:
    """A service that labels the text between the last text tags by `answer`.

    `write(label, number)` makes demonstrations, `translate` gives the answer of the fault "other language". `faults`
    are used up, one per message asked for in the order of arrival (None: no fault); `fault_for`, asked for the others,
    decides by the request's JSON body. `key` is the only one accepted, any when None. Every answer takes
    `latency_seconds`. A request over `limits` is answered 429 with the exact `retry-after`, takes nothing from them and
    uses up no fault. `batch_rules` say how the batches in `batches` go.

    `requests` are those for a message, `statuses` counts every reply by its HTTP status, `limited` those over the
    limits. `billed` counts the tokens of every live answer that was generated, whether or not it arrived;
    `batch_billed` those of batches.
    """

    def __init__(
        self,
        answer: Callable[[str], str],
        *,
        write: Callable[[str, int], str] = "{0} example {1}".format,
        translate: Callable[[str], str] = spanish,
        faults: Iterable[FaultOrKind] = (),
        fault_for: Callable[[Mapping[str, Any]], FaultOrKind] = lambda body: None,  # noqa: ARG005
        key: str | None = None,
        latency_seconds: float = 0.0,
        limits: Limits | None = None,
        batch_rules: BatchRules | None = None,
    ) -> None:
        self.requests: list[Received] = []
        self.statuses: collections.Counter[int] = collections.Counter()
        self.limited = 0
        self.billed = Usage()
        self.batch_billed = Usage()
        self.latency_seconds = latency_seconds
        self._voice = Voice(answer, write, translate)
        self._faults = collections.deque(faults)
        self._fault_for = fault_for
        self._key = key
        self._meter = Meter(limits or Limits())
        self._cached_prefixes: set[str] = set()
        self._message_ids = (f"msg_{number:024d}" for number in itertools.count(1))
        self._lock = threading.RLock()
        self.batches = Batches(batch_rules or BatchRules(), self._complete_in_batch, self._lock)

    @property
    def under_way(self) -> int:
        """Requests that wait for their answer."""
        return self._meter.under_way

    @property
    def most_under_way(self) -> int:
        """The most requests that were under way at once."""
        return self._meter.most_under_way

    def billed_usd(self, price: Price) -> float:
        """US dollars for all that was generated; in a batch at half the price."""
        return cost_usd(self.billed, price) + _BATCH_DISCOUNT * cost_usd(self.batch_billed, price)

    def accepts_key(self, headers: Mapping[str, str], form: Form) -> bool:
        """`x-api-key`, or `authorization: Bearer`. A chat completions server without a key asks for none."""
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        given = {key for key in (headers.get("x-api-key"), bearer) if key}
        return bool(given) or form == "openai" if self._key is None else self._key in given

    @contextlib.contextmanager
    def received(self, path: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> Iterator[Received]:
        """Note a request for a message and decide what is to be done to it; it is under way until the block ends."""
        form: Form = "openai" if path.endswith("/chat/completions") else "anthropic"
        with self._lock, contextlib.ExitStack() as connection:
            asked = input_usage_of(body, self._cached_prefixes)
            if not self.accepts_key(headers, form):
                fault: Fault | None = Fault("401")
            elif (wait_seconds := self._meter.admit(counted_tokens(body, asked, form))) is not None:
                self.limited += 1
                fault = Fault("429", wait_seconds)
            else:
                fault = fault_of(self._faults.popleft() if self._faults else self._fault_for(body))
                connection.enter_context(self._meter.connection())
            request = Received(path, headers, body, fault, asked)
            self.requests.append(request)
            admitted = connection.pop_all()
        try:
            yield request
        finally:
            with self._lock:
                admitted.close()

    def completion(self, request: Received, form: Form) -> dict[str, Any]:
        """The body of the answer; bills it."""
        with self._lock:
            said = self._voice.say(request.body, request.asked, request.fault)
            self.billed = self.billed + said.usage
            self._cached_prefixes.add(cacheable_prefix(request.body))
            if form == "anthropic":
                self._meter.use_output(said.usage.output_tokens)
            message_id = next(self._message_ids)
            if form == "anthropic":
                return message_reply(request.body, said, message_id=message_id)
            return chat_completion(request.body, said, message_id=message_id)

    def sending(self, status: int, form: Form) -> dict[str, str]:
        """Count a reply; the headers that tell of the limits."""
        with self._lock:
            self.statuses[status] += 1
            return self._meter.anthropic_headers() if form == "anthropic" else self._meter.openai_headers()

    def _complete_in_batch(self, params: Mapping[str, Any], fault: Fault | None) -> dict[str, Any]:
        said = self._voice.say(params, input_usage_of(params, self._cached_prefixes), fault)
        self._cached_prefixes.add(cacheable_prefix(params))
        self.batch_billed = self.batch_billed + said.usage
        return message_reply(params, said, message_id=next(self._message_ids), service_tier="batch")
