"""Makes `python -m flowcli` the command `flow`."""

import sys

from flowcli.main import main

if __name__ == "__main__":
    sys.exit(main())
