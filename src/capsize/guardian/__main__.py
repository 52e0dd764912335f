"""The guardian as a process: ``python -m capsize.guardian LOG [NOTE]``, started by capsize alone."""

import sys

from capsize.guardian.watch import main

sys.exit(main(sys.argv[1:]))
