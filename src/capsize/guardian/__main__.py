"""The guardian as a process: ``python -m capsize.guardian LOG [NOTE]``, started by capsize alone."""

import os
import sys

from capsize.guardian.watch import main

# At once: nothing is buffered, and capsize waits for this end.
os._exit(main(sys.argv[1:]))
