"""`python -m daemon --once` with children that take no seconds to import: `python -m scripted_daemon [TRAIN]`; with
`--serve` without `--once`."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from daemon import app, config
from daemon.host import early_signals, fault_guard, logging_setup
from freeal.errors import FreealError


def main() -> int:
    early_signals.hold_hangups()
    loaded = config.load(Path("freeal.yaml"))
    logging_setup.configure_logging(loaded.settings.log)
    train = [name for name in sys.argv[1:] if name != "--serve"] or ["scripted_train"]
    programs = app.Programs(*train, "scripted_predict")
    try:
        return app.serve(
            loaded, once="--serve" not in sys.argv, console=Console(stderr=True), programs=programs
        ).exit_code
    except (OSError, FreealError, ExceptionGroup) as error:  # as daemon.cli.command_line does
        if (trouble := fault_guard.passing_trouble_in(error)) is None:
            raise
        sys.stderr.write(f"{trouble}\n")
        return 1


sys.exit(main())
