"""`python -m daemon`."""

from daemon.cli.command_line import main

raise SystemExit(main())
