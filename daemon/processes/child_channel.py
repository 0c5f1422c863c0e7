"""The child's end of the pipe: used by the entry points, never by the daemon."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from typing import TextIO

from daemon.host import fault_guard
from daemon.host.fault_guard import INTERNAL
from daemon.processes import message_protocol
from daemon.processes.message_protocol import EventMessage, Failure, Up
from freeal.events import Event


class Channel:
    """Writes messages to what was stdout when the process began.

    stdout itself is turned to stderr first: whatever a library prints must not stand between the messages.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._mutex = threading.Lock()

    @classmethod
    def take_stdout(cls) -> Channel:
        """Open the channel and point stdout at stderr, for Python and for native code."""
        sys.stdout.flush()
        own = os.dup(1)
        os.dup2(2, 1)
        return cls(os.fdopen(own, "w", encoding="ascii"))

    def send(self, message: Up) -> None:
        """Send one message now; safe from any thread. A daemon that is gone is no error here: stdin tells."""
        with self._mutex:
            try:
                self._stream.write(message_protocol.encode(message) + "\n")
                self._stream.flush()
            except BrokenPipeError:
                sys.stderr.write("the daemon is gone\n")

    def emit(self, event: Event) -> None:
        """An event of the library, as `freeal.events.Emit` wants it."""
        self.send(EventMessage(event))


def failure_of(error: Exception) -> Failure:
    """Any error of a process as the `Failure` it answers with; the traceback of an unexpected one goes to stderr."""
    if isinstance(error, MemoryError):  # its own work is too large: waiting makes it no smaller
        traceback.print_exception(error)
        return Failure(INTERNAL, "ran out of memory", hint="give it more memory, or a smaller model or batch")
    fault = fault_guard.examine_fault(error)
    if fault.passing is not None:
        return Failure.of(fault.passing)
    if fault.is_ours or not isinstance(fault.error, type(error)):
        traceback.print_exception(error)
    return Failure.of_fault(fault)
