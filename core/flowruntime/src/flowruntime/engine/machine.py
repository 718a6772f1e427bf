"""The scheduler: a pure state machine over one plan, moved by what happens, asked for what to do next.

```
          decided: nothing live reached it              ┌────────► SKIPPED
PENDING ──────────────────────────────────► SKIPPING ───┘  skipped()
   │ decided: it runs                       (a command)
   └──► READY ── take() ──► RUNNING ── completed() ──► COMPLETED
         ▲                     ├────── failed() ─────► FAILED (then stop, continue or route)
         │                     ├────── cancelled() ──► CANCELLED
         │      due()          ├────── retrying() ───► RETRYING ─┐
         ├─────────────────────┼───────────────────────◄─────────┘
         ├─────────────────────┤ interrupted() ──────► READY, or park() ► WAITING for an answer
         └────── wake() ─────◄─┘ waiting() ► WAITING
```

The machine has no clock, no randomness and no I/O. Whatever is called on it is either a decision of the engine that
also becomes an event, or the replay of such an event (`replaying`): both go through the same methods, so a log folds to
the state that wrote it. What the machine asks for stands in two queues: `skips`, to be recorded at once, and the ready
queue behind `take`. A step costs the node's own arrows, never the graph.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final, Literal, TypeAlias

from flowcore.events import ErrorObject, Then
from flowcore.values import Value
from flowcore.workflows import ERROR

from flowruntime.authoring import Woken
from flowruntime.engine.inputs import Gathered, Skip, gather
from flowruntime.plan.model import Plan, Source

__all__ = [
    "CANCELLED",
    "COMPLETED",
    "FAILED",
    "PENDING",
    "READY",
    "RETRYING",
    "RUNNING",
    "SKIPPED",
    "SKIPPING",
    "WAITING",
    "Answer",
    "Machine",
]

#: What may become of a node that must not be repeated unasked: its next attempt, its failure, or a value for it.
Answer: TypeAlias = Literal["retry", "fail", "value"]

PENDING: Final = 0
READY: Final = 1
RUNNING: Final = 2
RETRYING: Final = 3
SKIPPING: Final = 4
COMPLETED: Final = 5
FAILED: Final = 6
SKIPPED: Final = 7
CANCELLED: Final = 8
WAITING: Final = 9


class Machine:
    """The state of one run of a plan."""

    __slots__ = (
        "_first_error",
        "_group_left",
        "_limit",
        "_outer",
        "_plain",
        "_racing",
        "_simple",
        "_waiting",
        "_winners",
        "attempts",
        "completed_flags",
        "contained",
        "contested",
        "continuing",
        "ended",
        "failures",
        "fired",
        "first_started_us",
        "outputs",
        "parked",
        "plan",
        "ready",
        "running",
        "signals",
        "skips",
        "states",
        "status",
        "stopped",
        "until_us",
        "wired",
        "woken",
    )

    def __init__(self, plan: Plan, *, fired: int | None = None, outer: Machine | None = None) -> None:
        self.plan = plan
        #: The machine of the document whose container runs this one; its limit holds here too.
        self._outer = outer
        #: The trigger that started the run; every other one is skipped.
        self.fired = fired
        self._plain = plan.plain_followers
        self._racing = plan.racing_followers if plan.group_sizes else None
        self._simple = plan.simple_wires
        self._limit = plan.max_parallel_nodes
        self._begin()

    def reset(self) -> None:
        """Be a new machine of the same plan; cheaper than one."""
        self._begin()

    def _begin(self) -> None:
        """The state before anything has run."""
        self.attempts = [0] * len(self.plan.nodes)
        #: When nodes began for the first time, as far as somebody may ask; what `now()` answers.
        self.first_started_us: dict[int, int] = {}
        self._begin_again()

    def _begin_again(self) -> None:
        """The state before anything has run; attempts go on counting."""
        plan, count = self.plan, len(self.plan.nodes)
        self._waiting = list(plan.need)
        self._group_left = list(plan.group_sizes)
        self._winners: dict[int, Source] = {}
        #: Nodes that may start, as far as the limit allows; `take` takes from here.
        self.ready: deque[int] = deque()
        self._first_error: ErrorObject | None = None
        self.status = bytearray(count)
        #: 1 for completed nodes: the liveness of their port `done`.
        self.completed_flags = bytearray(count)
        #: `{port: value}` by node; None where a node gave nothing.
        self.outputs: list[dict[str, Value] | None] = [None] * count
        #: Values that live connections bring to decided nodes.
        self.wired: list[dict[str, Value] | None] = [None] * count
        #: Ports of decided nodes at which several values arrived and the last was taken.
        self.contested: dict[int, tuple[str, ...]] = {}
        #: Failed attempts by node, for the retry policy; 0 for one that was only interrupted.
        self.failures: dict[int, int] = {}
        #: What nodes keep in `ctx.state`, as their last attempts left it.
        self.states: dict[int, dict[str, Value]] = {}
        #: Attempts that hold a slot, those inside this document's containers included.
        self.running = 0
        #: Running nodes that hold none: their attempts are containers.
        self.contained: set[int] = set()
        #: Waiting nodes, with the signal they wait for, None for a time alone.
        self.signals: dict[int, str | None] = {}
        #: Waiting nodes that began once and must not begin again: somebody must answer what becomes of them.
        self.parked: frozenset[int] = frozenset()
        #: When nodes in backoff and waiting nodes go on, where a time is set.
        self.until_us: dict[int, int] = {}
        #: What nodes that waited were woken by; kept until they end or wait again.
        self.woken: dict[int, Woken] = {}
        #: Woken nodes whose attempt goes on under its number.
        self.continuing: set[int] = set()
        #: Nodes that are to be skipped, with the reason: record each with `skipped`. Without one: with `park`.
        self.skips: deque[tuple[int, str | None]] = deque()
        #: Nodes in the order of their ends.
        self.ended: list[int] = []
        self.stopped: Literal["failed", "cancelled"] | None = None
        for node in plan.starts:
            self._decide(node)

    # --- what is to be done -------------------------------------------------------------------------

    def take(self) -> int | None:
        """The next node whose attempt may start now; it counts as running from here on. None: nothing now."""
        if not self.ready or self.running >= self._limit or self.stopped is not None:
            return None
        outer = self._outer
        if outer is not None:
            if not outer.has_room():
                return None
            outer._occupy()  # noqa: SLF001 - another machine
        node = self.ready.popleft()
        self.status[node] = RUNNING
        self.running += 1
        if not self.continuing or node not in self.continuing:
            self.attempts[node] += 1
        return node

    def has_room(self) -> bool:
        """Whether a further attempt may start here or in a container."""
        return self.running < self._limit and (self._outer is None or self._outer.has_room())

    def has_ready(self) -> bool:
        """Whether `take` would give a node."""
        return bool(self.ready) and self.stopped is None and self.has_room()

    def contain(self, node: int) -> None:
        """The running attempt is a container: it goes on without a slot."""
        self._release()
        self.contained.add(node)

    def _occupy(self) -> None:
        self.running += 1
        if self._outer is not None:
            self._outer._occupy()  # noqa: SLF001

    def _release(self) -> None:
        self.running -= 1
        if self._outer is not None:
            self._outer._release()  # noqa: SLF001

    def _end_running(self, node: int) -> None:
        if self.contained and node in self.contained:
            self.contained.discard(node)
        else:
            self._release()

    @property
    def error(self) -> ErrorObject | None:
        """The failure that stopped the run, the first one."""
        return self._first_error

    @property
    def finished(self) -> bool:
        """Whether nothing runs and nothing can run any more."""
        if self.running or self.contained:
            return False
        return self.stopped is not None or (not self.skips and len(self.ended) == len(self.status))

    @property
    def has_unfinished(self) -> bool:
        """Whether any node may run or be in backoff; False spares a look at every node."""
        return self.running > 0 or bool(
            self.failures or self.signals or self.contained or self.continuing or self.parked
        )

    def nodes_with(self, *statuses: int) -> list[int]:
        """The nodes in one of these states. Looks at every node: not for hot paths."""
        return [node for node, status in enumerate(self.status) if status in statuses]

    # --- what happened ------------------------------------------------------------------------------

    def completed(self, node: int, outputs: dict[str, Value]) -> None:
        """The running attempt gave its outputs."""
        if self._outer is None and not self.contained:
            self.running -= 1
        else:
            self._end_running(node)
        self.status[node] = COMPLETED
        self.completed_flags[node] = 1
        self.outputs[node] = outputs
        self.wired[node] = None
        if self.woken:
            self.woken.pop(node, None)
        self.ended.append(node)
        if self.stopped is None:
            self._settle(node)

    def failed(self, node: int, error: ErrorObject, then: Then) -> None:
        """The running attempt failed and there is no further one."""
        self._end_running(node)
        self.status[node] = FAILED
        self.wired[node] = None
        self.woken.pop(node, None)
        self.ended.append(node)
        if then == "stop":
            self.fail(error)
            return
        if then == "route":
            self.outputs[node] = {ERROR: error}
        if self.stopped is None:
            self._settle(node)

    def retrying(self, node: int, retry_at_us: int) -> None:
        """The running attempt failed; another one follows when `due` is called."""
        self._end_running(node)
        self.status[node] = RETRYING
        self.until_us[node] = retry_at_us
        self.woken.pop(node, None)
        self.failures[node] = self.failures.get(node, 0) + 1

    def waiting(self, node: int, signal: str | None, until_us: int | None) -> None:
        """The running attempt waits for a signal or a time, and holds no slot meanwhile."""
        self._release()
        self.status[node] = WAITING
        self.signals[node] = signal
        if until_us is not None:
            self.until_us[node] = until_us
        self.woken.pop(node, None)

    def wake(self, node: int, woken: Woken) -> None:
        """What a waiting node waited for is there: its attempt goes on."""
        del self.signals[node]
        self.until_us.pop(node, None)
        self.woken[node] = woken
        self.continuing.add(node)
        self.status[node] = READY
        self.ready.append(node)

    def due(self, node: int) -> None:
        """The delay before a node's next attempt is over."""
        if self.status[node] == RETRYING:
            self.until_us.pop(node, None)
            self.status[node] = READY
            self.ready.append(node)

    def interrupted(self, node: int) -> None:
        """The running attempt went away with its process; it does not count as a failure."""
        self._end_running(node)
        self.failures.setdefault(node, 0)  # it has begun: a stop that comes before its next attempt is its end
        self._make_ready(node)

    def park(self, node: int) -> None:
        """A node of `skips` that must not be repeated unasked waits for an answer from now on."""
        self._take_off(node)
        self.status[node] = WAITING
        self.parked |= {node}

    def answered(self, node: int, answer: Answer) -> None:
        """Somebody said what becomes of a parked node: it starts again, or `completed` or `failed` is called next."""
        self.parked -= {node}
        if answer == "retry":
            self.status[node] = READY
            self.ready.append(node)
        else:
            self.status[node] = RUNNING
            self._occupy()

    def skipped(self, node: int) -> None:
        """A node of `skips` was recorded; what follows it may be decided now."""
        self._take_off(node)
        self.status[node] = SKIPPED
        self.ended.append(node)
        self._settle(node)

    def _take_off(self, node: int) -> None:
        if self.skips and self.skips[0][0] == node:
            self.skips.popleft()
        else:
            self.skips = deque(entry for entry in self.skips if entry[0] != node)

    def cancelled(self, node: int) -> None:
        """The running or waiting node was ended by a stop of the workflow."""
        if self.status[node] == RUNNING:
            self._end_running(node)
        elif self.status[node] == READY:
            self.ready.remove(node)
        self.signals.pop(node, None)
        self.parked -= {node}
        self.until_us.pop(node, None)
        self.status[node] = CANCELLED
        self.wired[node] = None
        self.ended.append(node)

    def cancel(self) -> None:
        """Nothing starts from now on, on somebody's wish. A failure that stopped the run before stays the reason."""
        if self.stopped is None:
            self.stopped = "cancelled"

    def fail(self, error: ErrorObject) -> None:
        """Nothing starts from now on, because of something that is no node's failure."""
        if self._first_error is None:
            self._first_error = error
        if self.stopped is None:
            self.stopped = "failed"

    def replace_error(self, error: ErrorObject) -> None:
        """What stopped the run would have been answered, were it not for this."""
        self._first_error = error

    def restart(self) -> None:
        """All nodes start again from the same inputs."""
        self._begin_again()

    def started(self, node: int, attempt: int) -> None:
        """What `take` did when the log was written: an attempt runs."""
        # In a log the order of starts is mostly that of the queue, so this looks at its front only.
        if self.status[node] == READY:
            self.ready.remove(node)
        self.until_us.pop(node, None)  # it was in backoff
        self.continuing.discard(node)
        self.status[node] = RUNNING
        self._occupy()
        self.attempts[node] = attempt

    # --- deciding -----------------------------------------------------------------------------------

    def _settle(self, node: int) -> None:
        """Tell the followers of an ended node; those that wait for nothing more are decided."""
        waiting = self._waiting
        for follower, arrows in self._plain[node]:
            left = waiting[follower] - arrows
            if left:
                waiting[follower] = left
            else:
                self._decide(follower)
        if self._racing is not None:
            for target, port, group in self._racing[node]:
                self._settle_race(node, target, port, group)

    def _settle_race(self, node: int, target: int, port: str | None, group: int) -> None:
        if group in self._winners:
            return
        self._group_left[group] -= 1
        given = self.outputs[node]
        if self.completed_flags[node] if port is None else given is not None and port in given:
            self._winners[group] = Source(node, port)
        elif self._group_left[group]:
            return
        self._waiting[target] -= 1
        if not self._waiting[target]:
            self._decide(target)

    def _decide(self, node: int) -> None:
        wires = self._simple[node]
        if wires is not None:
            # The common case, every plain connection live, without the ceremony of `gather`, which would say the same.
            inputs: dict[str, Value] = {}
            outputs: Any = self.outputs
            try:
                for port, source, from_port in wires:
                    inputs[port] = outputs[source][from_port]
            except (KeyError, TypeError):
                pass  # one of them is not live
            else:
                self.wired[node] = inputs
                self.status[node] = READY
                self.ready.append(node)
                return
        found: Any = gather(self.plan.nodes[node], self.outputs, self.completed_flags, self._winners)
        if isinstance(found, Skip):
            self._skip(node, found.why)
            return
        if node != self.fired and node in self.plan.triggers:
            self._skip(node, "it did not fire")
            return
        gathered: Gathered = found
        self.wired[node] = gathered.inputs
        if gathered.contested:
            self.contested[node] = gathered.contested
        self._make_ready(node)

    def _make_ready(self, node: int) -> None:
        """It may start, unless it has begun before and must not do so twice."""
        if self.attempts[node] and self.plan.nodes[node].at_most_once:
            self.status[node] = SKIPPING
            self.skips.append((node, None))
        else:
            self.status[node] = READY
            self.ready.append(node)

    def _skip(self, node: int, why: str) -> None:
        self.status[node] = SKIPPING
        self.skips.append((node, why))
