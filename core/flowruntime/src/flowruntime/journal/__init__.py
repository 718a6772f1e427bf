"""The journal: one gapless sequence of events an execution, kept first and told second."""

from flowruntime.journal.following import Batch, Following, HistoryGap
from flowruntime.journal.journal import Journal
from flowruntime.journal.log import BATCH, ExecutionLog

__all__ = ["BATCH", "Batch", "ExecutionLog", "Following", "HistoryGap", "Journal"]
