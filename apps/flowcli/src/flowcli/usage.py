"""The error of those who write a command line."""

from __future__ import annotations

__all__ = ["UsageError"]


class UsageError(Exception):
    """What was asked for cannot be done as it is written: wrong words, or a file that is not there."""

    def __init__(self, message: str, *, remedy: str, code: str = "usage.wrong") -> None:
        self.message = message
        self.remedy = remedy
        self.code = code
        super().__init__(f"{message} {remedy}")

    def to_json(self) -> dict[str, str]:
        """`{code, message, remedy}`, as every error of Flownodes."""
        return {"code": self.code, "message": self.message, "remedy": self.remedy}
