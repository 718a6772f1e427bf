"""The iterations of a loop: which to start, what its expressions say of them, and what they came to.

Of an iteration nothing is kept but its result or its error. The children that run at the same time start in the order
of their indexes and may end in any other; results stand where they belong all the same.
"""

from __future__ import annotations

from flowcore.events import ErrorObject
from flowcore.values import Value
from flowruntime.authoring import Body, Child, ChildEnd, Container, Context, Expression, FatalNodeError, NodeError

from flownodes_control.failing import child_failure, error_of

__all__ = ["Conditional", "Counted", "too_many"]


class _Iterations(Container):
    """What all modes share: results, errors, the child's inputs, and leaving early."""

    __slots__ = (
        "_body",
        "_break_when",
        "_collects",
        "_end",
        "_errors",
        "_items",
        "_last",
        "_others",
        "_results",
        "_running",
        "_scope",
        "_started",
        "_total",
        "cancel_from",
        "concurrency",
    )

    def __init__(self, ctx: Context, *, others: dict[str, Value], items: list[Value] | None, total: int | None) -> None:
        config = ctx.config
        self.concurrency: int = config["concurrency"]
        self.cancel_from: int | None = None
        self._body: Body = config["body"]
        self._break_when: Expression | None = config["break_when"]
        self._collects = config["on_item_error"] == "collect"
        self._scope = ctx.scope
        #: What the body gets beside the loop's own names.
        self._others = others
        self._items = items
        self._total = total
        #: By index; null for those that failed or have not ended.
        self._results: list[Value] = []
        self._errors: dict[int, ErrorObject] = {}
        #: The result of the iteration that ended last.
        self._last: Value = None
        self._running: set[int] = set()
        self._started = 0
        #: No iteration from here on counts; it comes nearer when the loop is left.
        self._end = 0

    def ended(self, end: ChildEnd) -> None:
        """Keep the result. Raises NodeError for a failed item that stops the loop, or a faulty `break_when`."""
        index: int = end.index  # type: ignore[assignment] # every child of a loop has one
        self._running.discard(index)
        if end.status == "succeeded":
            self._results[index] = self._last = end.outputs
        else:
            self._failed(index, error_of(end))
        if self._break_when is not None and self._holds("break_when", self._break_when, index):
            self._leave(index)

    def outputs(self) -> dict[str, Value] | None:
        """`results` and `errors`, both by index."""
        if self._running or self._started < self._end:
            return None
        del self._results[self._end :]
        errors = [{"index": index, "error": self._errors[index]} for index in sorted(self._errors) if index < self._end]
        return {"results": self._results, "errors": errors}

    def _start(self, index: int, inputs: dict[str, Value]) -> Child:
        self._started = index + 1
        self._running.add(index)
        return Child(body=self._body, index=index, inputs=inputs)

    def _inputs_of(self, index: int) -> dict[str, Value]:
        item = None if self._items is None else self._items[index]
        return {**self._others, "item": item, "index": index, "total": self._total, "last": self._last}

    def _failed(self, index: int, error: ErrorObject) -> None:
        if not self._collects:
            raise child_failure(
                f"Item {index}",
                error,
                code="loop.item_failed",
                remedy="The details hold its error; with `on_item_error: collect` the loop goes on without the item.",
                details={"index": index, "error": error},
            )
        self._errors[index] = error
        self._last = None

    def _leave(self, index: int) -> None:
        """This is the last iteration that counts; of those before it, some may still run."""
        if index + 1 < self._end:
            self._end = self.cancel_from = index + 1
            self._running = {running for running in self._running if running <= index}

    def _holds(self, field: str, expression: Expression, index: int) -> bool:
        """Whether an expression over the body's inputs is true; `last` is what ended last, this iteration's result."""
        try:
            return expression.is_true({**self._scope, "input": self._inputs_of(index)})
        except NodeError as error:
            raise FatalNodeError(
                f"{field!r} could not be decided at index {index}: {error.message}",
                code=error.code,
                remedy=error.remedy,
                details={"field": field, "index": index},
            ) from None  # the cause says the same


class Counted(_Iterations):
    """The modes `for_each` and `times`: how many iterations there are is known beforehand."""

    __slots__ = ()

    def __init__(self, ctx: Context, *, others: dict[str, Value], items: list[Value] | None, total: int) -> None:
        super().__init__(ctx, others=others, items=items, total=total)
        self._results = [None] * total
        self._end = total

    def next(self) -> Child | None:
        """The next item, until there are no more or the loop was left."""
        index = self._started
        return self._start(index, self._inputs_of(index)) if index < self._end else None


class Conditional(_Iterations):
    """The modes `while` and `until`: an expression decides, one iteration after the other."""

    __slots__ = ("_most", "_until", "_while")

    def __init__(self, ctx: Context, *, others: dict[str, Value]) -> None:
        super().__init__(ctx, others=others, items=None, total=None)
        self._while: Expression | None = ctx.config["while"]
        self._until: Expression | None = ctx.config["until"]
        self._most: int = ctx.config["max_iterations"]
        self._end = self._most + 1  # the one too many fails

    def next(self) -> Child | None:
        """The next iteration. Raises NodeError when the loop goes on beyond its limit, or for a faulty `while`."""
        index = self._started
        if self._running or index >= self._end:
            return None
        if self._while is not None and not self._holds("while", self._while, index):
            self._end = index
            return None
        if index == self._most:
            field = "until" if self._while is None else "while"
            raise too_many(f"{field!r} lets the loop go on after {index} iterations", self._most)
        self._results.append(None)
        return self._start(index, self._inputs_of(index))

    def ended(self, end: ChildEnd) -> None:
        """Keep the result, and look whether it was the last one. Raises NodeError as the other modes do."""
        super().ended(end)
        index = self._started - 1
        if self._until is not None and self._started < self._end and self._holds("until", self._until, index):
            self._leave(index)


def too_many(what: str, most: int) -> FatalNodeError:
    """The error of a loop that is longer than it may be; `what` goes beyond `most`."""
    return FatalNodeError(
        f"{what}, and its limit (max_iterations) is {most}.",
        code="loop.too_many",
        remedy="Raise `max_iterations` (up to 1,000,000), or let the loop end earlier.",
        details={"max_iterations": most},
    )
