"""Containers: nodes whose attempt runs documents inside the same execution, such as loops and subflows.

The node's `execute` returns a `Container`. The engine asks it for children with `next`, runs each child's document with
a path of its own, tells how it ended with `ended`, and takes `outputs` as the node's own once `is_done`. Between its
calls the container holds no slot and no task.

A container decides from its config, its inputs and what it is told, and from nothing else: after a crash the engine
makes it anew and tells it the same ends in the same order, and must get the same answers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

from flowcore.events import ErrorObject
from flowcore.values import Value
from flowcore.workflows import Workflow

__all__ = ["Body", "Child", "ChildEnd", "Container"]


class Body:
    """A document of a config field marked `x-workflow`, compiled when the workflow was loaded.

    `name` is the name under which it was referred to, None for a document that stands in the config itself.
    """

    __slots__ = ("name", "plan", "workflow")

    def __init__(self, workflow: Workflow, *, name: str | None = None, plan: Any = None) -> None:
        self.workflow = workflow
        self.name = name
        #: The engine's own.
        self.plan = plan

    def __repr__(self) -> str:
        return f"Body({self.workflow.id!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A document to be run with these execution inputs. `index` is None for the only child of a container."""

    body: Body
    index: int | None
    inputs: dict[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildEnd:
    """How a child ended: `outputs` when it succeeded, `error` when it failed."""

    index: int | None
    status: Literal["succeeded", "failed", "cancelled"]
    outputs: Value = None
    error: ErrorObject | None = None


class Container(ABC):
    """One attempt of a container node. Used from one thread; its methods must not block."""

    #: How many children may run at the same time.
    concurrency: int = 1
    #: From which index on running children are cancelled and dropped: their ends are not told. None: none.
    cancel_from: int | None = None
    __slots__ = ()

    @abstractmethod
    def next(self) -> Child | None:
        """The child to start now; None when there is none until another one ends. Raises NodeError to fail."""

    @abstractmethod
    def ended(self, end: ChildEnd) -> None:
        """A child ended; called in the order of the log. Raises NodeError to fail the node."""

    @abstractmethod
    def outputs(self) -> dict[str, Value] | None:
        """The node's outputs `{port: value}` once nothing more is to be run; None before."""
