"""`python -m freeal`."""

import sys

from freeal.cli.command_line import main

sys.exit(main())
