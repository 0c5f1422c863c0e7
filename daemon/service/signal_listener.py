"""What signals do: SIGHUP reads the settings again, SIGTERM and SIGINT stop, a second one stops at once."""

from __future__ import annotations

import signal
from collections.abc import Callable

import anyio
import anyio.to_thread
import structlog

from daemon.config import Settings
from daemon.host import early_signals
from daemon.host.fault_guard import Guard
from daemon.host.systemd_notify import Notifier
from daemon.service.config_reload import Reload
from daemon.service.fault_register import FaultRegister

_log = structlog.get_logger(__name__)

_UNIT = "reading the settings again"


class SignalListener:
    """Obeys them while the service runs."""

    def __init__(
        self,
        reload: Reload,
        *,
        notifier: Notifier,
        faults: FaultRegister,
        settings: Callable[[], Settings],
        adopt: Callable[[Settings], None],
        stop: Callable[[], bool],
    ) -> None:
        """`stop` begins with the end, and says whether it had begun before; `adopt` goes on with other settings."""
        self._reload, self._notifier, self._faults = reload, notifier, faults
        self._settings, self._adopt, self._stop = settings, adopt, stop

    async def listen_to_signals(self, scope: anyio.CancelScope) -> None:
        """Until cancelled; a second stop cancels `scope`."""
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            if early_signals.take_hangup():
                await self._read_settings_again()
            async for number in signals:
                if number is signal.SIGHUP:
                    await self._read_settings_again()
                elif self._stop():
                    _log.warning("told twice to stop: stopping now")
                    scope.cancel()
                else:
                    _log.info("told to stop", signal=number.name)

    async def _read_settings_again(self) -> None:
        self._notifier.reloading()
        with Guard(_UNIT) as guard:
            settings = await anyio.to_thread.run_sync(self._reload, self._settings())
            if settings is not None:
                self._adopt(settings)
        self._faults.settle_fault(_UNIT, guard.fault)
        if guard.fault is not None:
            _log.error("the settings stay as they were", problem=str(guard.fault.error))
        self._notifier.ready()
