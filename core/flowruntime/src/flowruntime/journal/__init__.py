"""The journal: one gapless sequence of events an execution, kept first and told second."""

from flowruntime.journal.journal import HistoryGap, Journal
from flowruntime.journal.log import BATCH, ExecutionLog

__all__ = ["BATCH", "ExecutionLog", "HistoryGap", "Journal"]
