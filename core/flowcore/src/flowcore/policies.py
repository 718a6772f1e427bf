"""What happens when a node fails: retry policies and what follows the last attempt."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias

from flowcore.errors import Problem
from flowcore.values import ObjectReader

__all__ = [
    "DEFAULT_RETRY_POLICY",
    "ContinueOnError",
    "NodeOnError",
    "PartialRetryPolicy",
    "RetryPolicy",
    "RetryWorkflow",
    "StopWorkflow",
    "WorkflowOnError",
    "resolve_retry_policy",
]

#: What a node's failure does after its last attempt.
NodeOnError: TypeAlias = Literal["stop", "continue", "route"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopWorkflow:
    """The failure ends the workflow."""

    def to_json(self) -> Any:
        """`"StopWorkflow"`."""
        return "StopWorkflow"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinueOnError:
    """The workflow goes on; the failed node's outputs count as skipped."""

    def to_json(self) -> Any:
        """`"ContinueOnError"`."""
        return "ContinueOnError"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryWorkflow:
    """The workflow starts again from its inputs, at most `max_attempts` times in all."""

    max_attempts: int = 3

    def to_json(self) -> Any:
        """`{"RetryWorkflow": {"max_attempts": n}}`."""
        return {"RetryWorkflow": {"max_attempts": self.max_attempts}}


WorkflowOnError: TypeAlias = StopWorkflow | ContinueOnError | RetryWorkflow


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and after which delays a failed attempt is made again."""

    max_attempts: int = 3
    delay_ms: float = 1000
    backoff_multiplier: float = 2.0
    max_delay_ms: float = 60000
    jitter: float = 0.1
    retry_on_timeout: bool = True

    def delay_after(self, failures: int, u: float, retry_after_ms: float | None = None) -> float:
        """The delay in milliseconds after failed attempt `failures` (from 1), with `u` in [-1, 1].

        `min(max_delay_ms, delay_ms * backoff_multiplier**(failures-1)) * (1 + jitter*u)`; a longer
        `retry_after_ms`, the node's own wish, wins up to `max_delay_ms`.

        >>> RetryPolicy(jitter=0).delay_after(3, 0.0)
        4000.0
        """
        try:
            # As floats: a whole number would grow to millions of digits instead of overflowing.
            grown = self.delay_ms * float(self.backoff_multiplier) ** (failures - 1)
        except OverflowError:
            grown = self.max_delay_ms if self.delay_ms else 0
        delay = min(self.max_delay_ms, grown) * (1 + self.jitter * u)
        if retry_after_ms is not None:
            delay = max(delay, min(retry_after_ms, self.max_delay_ms))
        return float(delay)


DEFAULT_RETRY_POLICY = RetryPolicy()
_ONE_ATTEMPT = RetryPolicy(max_attempts=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialRetryPolicy:
    """A retry policy as it stands in a document or a node type; None is a field that does not stand there."""

    max_attempts: int | None = None
    delay_ms: float | None = None
    backoff_multiplier: float | None = None
    max_delay_ms: float | None = None
    jitter: float | None = None
    retry_on_timeout: bool | None = None

    @classmethod
    def read(cls, value: Any, pointer: str, problems: list[Problem]) -> PartialRetryPolicy | None:
        """A policy from JSON; None stays None, faults become problems."""
        if value is None:
            return None
        reader = ObjectReader(value, pointer, problems, what="A retry policy")
        policy = cls(
            max_attempts=reader.integer("max_attempts", None, minimum=1),
            delay_ms=reader.number("delay_ms", None),
            backoff_multiplier=reader.number("backoff_multiplier", None, minimum=1),
            max_delay_ms=reader.number("max_delay_ms", None),
            jitter=reader.number("jitter", None, maximum=1),
            retry_on_timeout=reader.flag("retry_on_timeout", None),
        )
        reader.finish(extensions=False)
        return policy

    def to_json(self) -> dict[str, Any]:
        """The fields that are set."""
        return {name: value for name in _FIELDS if (value := getattr(self, name)) is not None}


_FIELDS = tuple(field.name for field in fields(PartialRetryPolicy))


def resolve_retry_policy(document: PartialRetryPolicy | None, node_type: PartialRetryPolicy | None) -> RetryPolicy:
    """The policy that holds: the document's over the node type's, field by field; nothing anywhere is one attempt.

    >>> resolve_retry_policy(None, None).max_attempts
    1
    >>> resolve_retry_policy(PartialRetryPolicy(delay_ms=5), PartialRetryPolicy(max_attempts=2)).max_attempts
    2
    """
    if document is None and node_type is None:
        return _ONE_ATTEMPT
    given: dict[str, Any] = {}
    for policy in (node_type, document):
        if policy is not None:
            given.update(policy.to_json())
    return RetryPolicy(**given)
