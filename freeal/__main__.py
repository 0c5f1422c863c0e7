"""`python -m freeal`."""

import sys

from freeal.cli import main

sys.exit(main())
