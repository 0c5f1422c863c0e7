"""`python -m daemon --once` with children that take no seconds to import: `python -m scripted_daemon`."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from daemon import app, config
from daemon.host import fault_guard, logging_setup
from freeal.errors import FreealError


def main() -> int:
    loaded = config.load(Path("freeal.yaml"))
    logging_setup.configure(loaded.settings.log)
    programs = app.Programs("scripted_train", "scripted_predict")
    try:
        return app.serve(loaded, once=True, console=Console(stderr=True), programs=programs).exit_code
    except (OSError, FreealError, ExceptionGroup) as error:  # as daemon.cli.command_line does
        if (trouble := fault_guard.trouble_of(error)) is None:
            raise
        sys.stderr.write(f"{trouble}\n")
        return 1


sys.exit(main())
