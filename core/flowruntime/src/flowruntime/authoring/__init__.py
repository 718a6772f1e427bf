"""What authors of nodes import, and the only part of flowruntime that packs may use.

```python
from flowruntime.authoring import node


@node("text.shout", effects="pure")
def shout(text: str, *, times: int = 1) -> str:
    '''Say it louder.'''
    return text.upper() + "!" * times
```
"""

from flowcore.errors import FatalNodeError, NodeError, RetryableNodeError
from flowcore.nodes import Deprecation, EffectsByConfig, Port, Ports, RenamedPorts
from flowcore.values import Blob, Json, Value

from flowruntime.authoring.containers import Body, Child, ChildEnd, Container
from flowruntime.authoring.context import Context, InstanceContext, NodeEvents, Run
from flowruntime.authoring.definitions import Definition, definition_of, node
from flowruntime.authoring.expressions import DataExpression, Expression, is_true
from flowruntime.authoring.handlers import Handler, Mode, make_handler
from flowruntime.authoring.keeping import ABSENT, BlockingNodeStore, NodeStore
from flowruntime.authoring.nodes import Node
from flowruntime.authoring.waiting import Wait, Woken
from flowruntime.blobs import MAX_BLOB_BYTES, BlobWriter
from flowruntime.pack_settings import OperatorSettings, operator_settings
from flowruntime.secrets import Secret

__all__ = [
    "ABSENT",
    "MAX_BLOB_BYTES",
    "Blob",
    "BlobWriter",
    "BlockingNodeStore",
    "Body",
    "Child",
    "ChildEnd",
    "Container",
    "Context",
    "DataExpression",
    "Definition",
    "Deprecation",
    "EffectsByConfig",
    "Expression",
    "FatalNodeError",
    "Handler",
    "InstanceContext",
    "Json",
    "Mode",
    "Node",
    "NodeError",
    "NodeEvents",
    "NodeStore",
    "OperatorSettings",
    "Port",
    "Ports",
    "RenamedPorts",
    "RetryableNodeError",
    "Run",
    "Secret",
    "Value",
    "Wait",
    "Woken",
    "definition_of",
    "is_true",
    "make_handler",
    "node",
    "operator_settings",
]
