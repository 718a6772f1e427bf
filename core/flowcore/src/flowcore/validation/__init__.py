"""What can be said about a workflow once its node types are known: types, ports, references, cycles. Pure."""

from flowcore.validation.cycles import find_cycle
from flowcore.validation.fitting import check_fitting, is_any
from flowcore.validation.ports import NodePorts, Reference, Wiring, node_ports
from flowcore.validation.signatures import WorkflowLookup, no_workflows
from flowcore.validation.types import TypeLookup, check_types, find_types
from flowcore.validation.wires import TypedWorkflow

__all__ = [
    "NodePorts",
    "Reference",
    "TypeLookup",
    "TypedWorkflow",
    "Wiring",
    "WorkflowLookup",
    "check_fitting",
    "check_types",
    "find_cycle",
    "find_types",
    "is_any",
    "no_workflows",
    "node_ports",
]
