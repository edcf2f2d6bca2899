"""Run the command line by ``python -m skloss``."""

import sys

from skloss.compare.cli import main

if __name__ == "__main__":
    sys.exit(main())
