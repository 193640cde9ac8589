"""``python -m anchor.cli``: the same as ``vestige``."""

import sys

from anchor.cli import main

sys.exit(main())
