"""What can be said about a workflow once its node types are known: types, ports, references, cycles. Pure."""

from flowcore.validation.cycles import find_cycle
from flowcore.validation.ports import NodePorts, Reference, Wiring, node_ports
from flowcore.validation.types import TypeLookup, check_types

__all__ = ["NodePorts", "Reference", "TypeLookup", "Wiring", "check_types", "find_cycle", "node_ports"]
