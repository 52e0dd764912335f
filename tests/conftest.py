"""What holds for every test: nothing is chosen by what happens to run on the machine."""

from __future__ import annotations

import os

# A Docker engine at the usual place would take every run that names no platform; tests of Docker ask for it.
os.environ.setdefault("CAPSIZE_PLATFORM", "local")
