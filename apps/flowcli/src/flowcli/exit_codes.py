"""What the exit codes of every command mean."""

from __future__ import annotations

__all__ = ["AT_REST", "FAILED", "INTERRUPTED", "SUCCESS", "UNUSABLE", "WRONG"]

SUCCESS = 0
#: It ran, and failed or found a difference.
FAILED = 1
#: Wrong usage, or a workflow that is not valid.
WRONG = 2
#: The installation or the store cannot be used.
UNUSABLE = 3
#: Nothing is left to run until somebody answers what becomes of a node.
AT_REST = 4
#: Ended by Ctrl-C or SIGTERM.
INTERRUPTED = 130
