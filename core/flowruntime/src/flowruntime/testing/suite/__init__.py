"""The conformance suite: what every pack must keep to, each rule a check with a name of its own.

| check | what it asks for |
|---|---|
| `loads` | the package can be imported, and its declarations make node types |
| `metadata` | the distribution says what it is, and what it needs |
| `catalog` | the committed catalog is what the code says |
| `descriptions` | type, ports and config fields say what they are for |
| `schemas` | schemas are JSON Schema 2020-12, defaults obey them, names are free |
| `unknown_keys` | a key that the config does not have is refused |
| `examples` | there is one, and each does what it says |
| `outputs` | what comes out fits the schemas of its ports, and survives being written |
| `repeats` | a pure node gives the same outputs for the same inputs |
| `cancellation` | a running node ends within a second of being cancelled |
| `shutdown` | an instance whose `initialize` failed can be shut down |
| `migrations` | configs saved with older versions, or for replaced types, still load |
| `secrets` | no secret stands in an event, a result or a log record |
"""

from __future__ import annotations

from flowruntime.testing.suite.checks import CHECKS, Item, Report, check_pack, items_of
from flowruntime.testing.suite.finding import Check, Finding
from flowruntime.testing.suite.items import conformance

__all__ = ["CHECKS", "Check", "Finding", "Item", "Report", "check_pack", "conformance", "items_of"]
