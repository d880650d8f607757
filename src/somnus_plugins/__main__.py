"""`python -m somnus_plugins`: the command line."""

import sys

from somnus_plugins.cli import main

if __name__ == "__main__":
    sys.exit(main())
