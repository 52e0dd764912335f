"""`python -m capsize_starter`, the same as `capsize-starter`."""

import sys

from capsize_starter.cli import main

sys.exit(main())
