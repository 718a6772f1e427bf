"""The journal: one gapless sequence of events an execution, kept first and told second."""

from flowruntime.journal.durable import DurableLog
from flowruntime.journal.following import Batch, Following, HistoryGap
from flowruntime.journal.journal import LEASE_SECONDS, Journal
from flowruntime.journal.log import BATCH, ExecutionLog

__all__ = ["BATCH", "LEASE_SECONDS", "Batch", "DurableLog", "ExecutionLog", "Following", "HistoryGap", "Journal"]
