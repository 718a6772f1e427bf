"""Makes attempts: takes one ready node after the other, calls its handler, and records what came of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import anyio.lowlevel
from flowcore.events import NodeCompleted, NodeStarted
from flowcore.values import Blob, Value

from flowruntime.authoring import Container, Context, Handler, Wait
from flowruntime.engine.attempt import changed_state, check_outputs, check_result, resolve, verify_blobs
from flowruntime.engine.executor.containing import open_container
from flowruntime.engine.executor.failing import attempt_failed, state_left
from flowruntime.engine.executor.worker import Worker, self_cancelled
from flowruntime.engine.watchdog import NEVER_US
from flowruntime.journal import BATCH

if TYPE_CHECKING:
    from flowruntime.engine.executor.executor import Executor

__all__ = ["INLINE_NODES", "make_attempts"]

#: After so many attempts of one worker the loop gets its turn.
INLINE_NODES: Final = 64
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
#: Makes the two events that every node has; calling their classes would take twice as long.
_new: Final = tuple.__new__
_NO_VALUES: Final[dict[str, Any]] = {}


async def make_attempts(execution: Executor, worker: Worker) -> None:  # noqa: C901, PLR0912, PLR0915 - one function: the hot path
    """Make one attempt after the other until nothing can be taken, or the worker is not wanted any more."""
    runnable, log, now, times = execution.runnable, execution.log, execution.now, execution.times
    pending, is_blocking = log.pending, log.is_blocking
    at_us = now()
    inline = blocked = 0
    is_guest = worker.is_guest
    hot = worker.frame.hot
    machine, run, path, handlers, nodes, attempts = hot
    while runnable:
        inline += 1
        if inline >= INLINE_NODES:
            inline = 0
            execution.before_pause()
            await log.until_room()
            await anyio.lowlevel.checkpoint()
            at_us = now()
            continue
        frame = runnable[0]
        if frame.hot is not hot:
            worker.frame, hot = frame, frame.hot
            machine, run, path, handlers, nodes, attempts = hot
        if is_guest and worker.is_cancelled_by_others():  # and the node took it for its own
            raise asyncio.CancelledError
        index = machine.take()
        if index is None:
            if machine.ready and machine.stopped is None:
                # There is no room; whoever makes some goes on here.
                blocked += 1
                if blocked >= len(runnable):
                    return
                runnable.rotate(-1)
                continue
            runnable.popleft()
            frame.queued = False
            execution.rest(frame)
            continue
        blocked = 0
        if execution.spare is None and (machine.ready or len(runnable) > 1) and machine.has_room():
            execution.schedule_spare()
        node, attempt = nodes[index], attempts[index]
        worker.index = index
        worker.started_us = worker.begun_us = started_us = at_us
        if machine.continuing and index in machine.continuing:
            machine.continuing.discard(index)
            worker.started_us, active_us = frame.suspended.pop(index, (started_us, 0))
            started_us = worker.started_us
            worker.begun_us = at_us - active_us
        else:
            log.seq = seq = log.seq + 1
            pending.append(_new(NodeStarted, (seq, at_us, path, node.id, attempt, node.type_id)))
            if log.listening:
                log.flush()
        if worker.begun_us + node.timeout_us < times.armed_us:
            times.arm(worker.begun_us + node.timeout_us)
        if machine.contested and index in machine.contested:
            frame.recorder.warn_of_contest(index)
        outputs: Any
        try:
            handler = handlers[index]
            if handler is None:
                handler = await frame.instances.prepare(index)
            if is_blocking and node.effects == "write":
                await _until_durable(execution, worker)  # a side effect must not be forgotten
            inputs = machine.wired[index] or _NO_VALUES
            state = None
            if handler.plain is not None and node.direct:
                outputs = await handler.plain(**inputs)
                if type(outputs) is not Wait:
                    for given in inputs.values():
                        if given is outputs:  # it was checked when it was made
                            break
                    else:
                        check_result(outputs)
                    outputs = {"result": outputs}
            else:
                config = frame.configs[index]
                machine.first_started_us.setdefault(index, worker.started_us)
                if not node.direct:
                    inputs, config = resolve(node, attempt, handler, inputs, config, run)
                ctx = worker.ctx = Context(run, path, node.id, attempt, inputs, config)
                if machine.woken:
                    ctx.woken = machine.woken.get(index)
                if handler.mode == "async":
                    outputs = await handler.call(ctx)
                elif handler.mode == "inline":
                    outputs = handler.call(ctx)
                elif handler.mode == "thread":
                    outputs = await _on_thread(execution, worker, handler.call, ctx)
                else:
                    outputs = await _wrapped(execution, worker, handler, ctx)
                if type(outputs) is dict or not isinstance(outputs, Wait | Container):
                    outputs = check_outputs(node, outputs, inputs)
                if ctx.opened_state is not None and worker.index == index:
                    state = changed_state(ctx, machine.states.get(index))
            if Blob.some_unverified and type(outputs) is dict:
                await verify_blobs(outputs, state)
        except Exception as error:  # noqa: BLE001 - the border to the nodes' code
            if worker.index == index:
                attempt_failed(execution, worker, error)
        except (asyncio.CancelledError, KeyboardInterrupt) as error:
            if worker.index != index:
                raise
            if worker.is_cancelled() or isinstance(error, KeyboardInterrupt):
                machine.cancel()
                frame.recorder.cancelled(index, frame.why_stopped, state_left(worker))
                worker.index = -1
                execution.moved(frame)
                raise
            attempt_failed(execution, worker, self_cancelled(error))
        except BaseException as error:  # nodes raise what they like, SystemExit too
            if not worker.is_current():  # it is being closed, with GeneratorExit
                raise
            if worker.index == index:
                attempt_failed(execution, worker, error)
        else:
            if worker.index != index:
                return  # its end was recorded before, and the first outcome stands
            if type(outputs) is dict:
                if run.sayings:
                    run.flush(index, ended=True)
                at_us = now()
                log.seq = seq = log.seq + 1
                fields = (seq, at_us, path, node.id, attempt, outputs, (at_us - started_us) / 1000, None, state)
                pending.append(_new(NodeCompleted, fields))
                if log.listening or len(pending) >= BATCH:
                    log.flush()
                if state is not None:
                    machine.states[index] = state
                machine.completed(index, outputs)
                worker.index = -1
                if machine.skips:
                    frame.recorder.skips()
                if frame.owner is not None:
                    execution.moved(frame)
                elif not frame.queued:
                    execution.enqueue(frame)
                if worker.cancelled:
                    return
                continue
            if type(outputs) is Wait:
                _suspend(execution, worker, outputs, state)
            else:
                open_container(execution, worker, outputs)
        if worker.index != index:
            return
        worker.index = -1
        worker.ctx = None
        if machine.skips:
            frame.recorder.skips()
        execution.moved(frame)
        if worker.cancelled:
            return
        at_us = now()


async def _until_durable(execution: Executor, worker: Worker) -> None:
    """Wait for the disk, which may be full for long: that is no part of the attempt's time."""
    log, began_us = execution.log, execution.now()
    begun_us, worker.begun_us = worker.begun_us, NEVER_US
    await log.until_durable(log.seq)
    if worker.index >= 0:
        worker.begun_us = begun_us = begun_us + execution.now() - began_us
        due_us = begun_us + worker.frame.machine.plan.nodes[worker.index].timeout_us
        if due_us < execution.times.armed_us:
            execution.times.arm(due_us)


async def _wrapped(execution: Executor, worker: Worker, handler: Handler, ctx: Context) -> Any:
    """The attempt, with what plugins put around it."""
    frame = worker.frame

    async def attempt() -> Any:
        if handler.wrapped == "async":
            return await handler.call(ctx)
        if handler.wrapped == "inline":
            return handler.call(ctx)
        return await _on_thread(execution, worker, handler.call, ctx)

    wrappers = frame.instances.wrappers
    assert wrappers is not None  # noqa: S101 - they have wrapped the handler
    return await wrappers.run(ctx, frame.machine.plan.nodes[worker.index].node_type, attempt)


async def _on_thread(execution: Executor, worker: Worker, call: Any, ctx: Context) -> Any:
    worker.job = execution.threads.job(call, ctx)
    try:
        return await execution.threads.run(worker.job)
    finally:
        worker.job = None


def _suspend(execution: Executor, worker: Worker, wait: Wait, state: dict[str, Value] | None) -> None:
    """The attempt waits: it holds nothing from here on but its inputs."""
    frame, index, now_us = worker.frame, worker.index, execution.now()
    frame.suspended[index] = (worker.started_us, now_us - worker.begun_us)
    until_us = None if wait.until is None else (wait.until - _EPOCH) // _MICROSECOND
    frame.recorder.waiting(index, now_us, until_us, wait, state)
    if frame.machine.stopped is not None:
        frame.recorder.cancelled(index, frame.why_stopped)
    elif until_us is not None:
        execution.times.add(until_us, frame, index)
