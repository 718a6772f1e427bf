"""Builds workflow documents in Python, with errors at the line that is wrong.

```python
from flowruntime import WorkflowBuilder

flow = WorkflowBuilder("Fetch and log")
fetch = flow.add("http.request", method="GET", inputs={"url": "https://example.org"})
log = flow.add("debug.log")
flow.connect(fetch.body, log.message)
```
"""

from flowruntime.builder.building import WorkflowBuilder
from flowruntime.builder.handles import NodeHandle, PortHandle, UnknownPort

__all__ = ["NodeHandle", "PortHandle", "UnknownPort", "WorkflowBuilder"]
