"""Refuses at once what cannot become right by what is added later."""

from __future__ import annotations

from typing import NoReturn

from flowcore.errors import Problem, WorkflowInvalid

__all__ = ["refuse"]


def refuse(code: str, pointer: str, message: str, remedy: str) -> NoReturn:
    """Raise WorkflowInvalid with this one problem."""
    raise WorkflowInvalid([Problem(code=code, pointer=pointer, message=message, remedy=remedy)])
