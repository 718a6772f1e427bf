"""The runtime: the one object through which Python programs check, run, watch and cancel workflows."""

from flowruntime.journal import Following, HistoryGap
from flowruntime.runtime.documents import Document
from flowruntime.runtime.runtime import Runtime

__all__ = ["Document", "Following", "HistoryGap", "Runtime"]
