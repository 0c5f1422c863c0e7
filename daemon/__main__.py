"""`python -m daemon`."""

from daemon.host import early_signals

early_signals.hold_hangups()

from daemon.cli.command_line import main  # noqa: E402 - its imports take half a second, in which a SIGHUP would kill

raise SystemExit(main())
