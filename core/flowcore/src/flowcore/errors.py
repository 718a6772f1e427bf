"""Every error that Flownodes tells to people, as one tree that says who is at fault.

```
FlowError                      code, message (one sentence of cause), remedy (one sentence)
├── WorkflowInvalid            the workflow document: all problems at once
├── InstallationError          packs, types, settings of this installation
│   └── PackError              one pack, at one stage (carries a pack name)
├── NodeError                  the node that ran; after `max_attempts` it fails
│   ├── RetryableNodeError     trying again may help (`retry_after_seconds`)
│   └── FatalNodeError         trying again cannot help
├── ExecutionError             an execution that is unknown, final or cancelled
├── StoreError                 the database
└── InternalError              a fault of Flownodes itself
```
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

__all__ = [
    "MAX_PROBLEMS",
    "ExecutionError",
    "FatalNodeError",
    "FlowError",
    "InstallationError",
    "InternalError",
    "NodeError",
    "PackError",
    "Problem",
    "ProblemList",
    "RetryableNodeError",
    "Severity",
    "StoreError",
    "WorkflowInvalid",
]


Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with a document.

    `pointer` is a JSON Pointer (RFC 6901) into the document, `""` for the whole of it; `code` is stable and
    made for programs (`node_type.unknown`); `message` says what is wrong, `remedy` what to do.
    """

    severity: Severity = "error"
    code: str
    pointer: str
    message: str
    remedy: str

    def to_json(self) -> dict[str, str]:
        """The problem as the object that `--json` and the HTTP API give."""
        return {
            "severity": self.severity,
            "code": self.code,
            "pointer": self.pointer,
            "message": self.message,
            "remedy": self.remedy,
        }

    def __str__(self) -> str:
        place = self.pointer or "the document"
        return f"{place}: {self.message} {self.remedy} [{self.code}]"


#: How many problems of one document are kept.
MAX_PROBLEMS = 1000


class ProblemList(list[Problem]):
    """The problems of one document, bounded: what is appended beyond MAX_PROBLEMS is counted, not kept.

    >>> problems = ProblemList()
    >>> problems.append(Problem(code="a.b", pointer="", message="Wrong.", remedy="Mend it."))
    >>> len(problems), problems.left_out
    (1, 0)
    """

    __slots__ = ("left_out",)

    def __init__(self) -> None:
        super().__init__()
        self.left_out = 0

    def append(self, problem: Problem) -> None:
        """Keep the problem while there is room."""
        if len(self) < MAX_PROBLEMS:
            super().append(problem)
        else:
            self.left_out += 1

    def extend(self, problems: Iterable[Problem]) -> None:
        """Append each of the problems."""
        for problem in problems:
            self.append(problem)

    def told(self) -> list[Problem]:
        """The problems, before them one that counts those that were left out."""
        if not self.left_out:
            return self
        note = Problem(
            code="document.more_problems",
            pointer="",
            message=f"There are {self.left_out} more problems than the {len(self)} that are told.",
            remedy="Correct these first.",
        )
        return [note, *self]


class FlowError(Exception):
    """Something went wrong in Flownodes."""

    default_code: ClassVar[str] = "flow.error"
    default_remedy: ClassVar[str] = ""

    def __init__(self, message: str | None = None, *, code: str | None = None, remedy: str | None = None) -> None:
        self.message = message if message is not None else _first_line(type(self).__doc__)
        self.code = code if code is not None else self.default_code
        self.remedy = remedy if remedy is not None else self.default_remedy
        super().__init__(self.message)

    def to_json(self) -> dict[str, Any]:
        """`{code, message, remedy}`: how machines are told of the error."""
        return {"code": self.code, "message": self.message, "remedy": self.remedy}

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".rstrip()


class WorkflowInvalid(FlowError):  # noqa: N818 - it says what the workflow is
    """The workflow is not valid."""

    default_code = "workflow.invalid"
    default_remedy = "Correct the places named; `flow validate FILE` shows them all."

    def __init__(self, problems: Iterable[Problem], message: str | None = None) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        errors = [problem for problem in self.problems if problem.severity == "error"]
        if message is None and errors:
            more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            place = f" at {errors[0].pointer}" if errors[0].pointer else ""
            message = f"The workflow is not valid{place}: {errors[0].message}{more}"
        # Of a single error, as a builder raises, its own remedy says more.
        super().__init__(message, remedy=(errors[0].remedy or None) if len(errors) == 1 else None)

    def to_json(self) -> dict[str, Any]:
        """The error with all its problems."""
        return {**super().to_json(), "problems": [problem.to_json() for problem in self.problems]}


class InstallationError(FlowError):
    """This installation cannot do what was asked."""

    default_code = "installation.unusable"
    default_remedy = "`flow nodes` lists what is installed and what is broken."


class PackError(InstallationError):
    """A pack could not be used."""

    default_code = "pack.broken"

    def __init__(
        self, message: str | None = None, *, pack: str, code: str | None = None, remedy: str | None = None
    ) -> None:
        self.pack = pack
        super().__init__(message, code=code, remedy=remedy)


class NodeError(FlowError):
    """The node failed."""

    default_code = "node.failed"
    #: Whether a retry policy may try again.
    retryable: ClassVar[bool] = True

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        remedy: str | None = None,
        details: Mapping[str, Any] | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message, code=code, remedy=remedy)
        self.details: Mapping[str, Any] = details if details is not None else {}
        self.retry_after_seconds = retry_after_seconds


class RetryableNodeError(NodeError):
    """The node failed in a way that may pass."""


class FatalNodeError(NodeError):
    """The node failed and trying again cannot help."""

    retryable = False


class ExecutionError(FlowError):
    """The execution is not in a state that allows this."""

    default_code = "execution.unavailable"
    default_remedy = "`flow executions list` shows the executions and their states."


class StoreError(FlowError):
    """The store cannot be used."""

    default_code = "store.unusable"
    default_remedy = "Check the database URL given by --db."


class InternalError(FlowError):
    """Flownodes itself is at fault."""

    default_code = "internal"
    default_remedy = "Please report this with the workflow that shows it."


def _first_line(doc: str | None) -> str:
    return (doc or "").strip().split("\n", 1)[0]
