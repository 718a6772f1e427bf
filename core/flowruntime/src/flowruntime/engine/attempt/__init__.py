"""One attempt: the instance that makes it, the context it sees, the check of what it gave, the error it ended in."""

from flowruntime.engine.attempt.failures import AttemptTimeoutError, error_object, is_retryable
from flowruntime.engine.attempt.instances import Instances, Loader
from flowruntime.engine.attempt.outputs import check_outputs, check_ports, check_result
from flowruntime.engine.attempt.resolving import resolve
from flowruntime.engine.attempt.run import ExecutionRun, Surroundings
from flowruntime.engine.attempt.secret_texts import SecretTexts
from flowruntime.engine.attempt.state import changed_state
from flowruntime.engine.attempt.threads import Job, Threads
from flowruntime.engine.attempt.verifying import has_unverified, verify_blobs

__all__ = [
    "AttemptTimeoutError",
    "ExecutionRun",
    "Instances",
    "Job",
    "Loader",
    "SecretTexts",
    "Surroundings",
    "Threads",
    "changed_state",
    "check_outputs",
    "check_ports",
    "check_result",
    "error_object",
    "has_unverified",
    "is_retryable",
    "resolve",
    "verify_blobs",
]
