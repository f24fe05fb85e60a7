"""``python -m firmware_export FILE --out DIR``"""

import sys

from firmware_export.cli import main

sys.exit(main())
