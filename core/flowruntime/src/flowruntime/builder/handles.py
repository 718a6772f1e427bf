"""What a builder gives for a node that was added: its ports, by attribute or by item."""

from __future__ import annotations

from collections.abc import Iterator

from flowcore.errors import Problem, WorkflowInvalid
from flowcore.validation import NodePorts
from flowcore.values import did_you_mean
from flowcore.workflows import AFTER, DONE, ERROR, NodeId

from flowruntime.expressions.parsing import quoted

__all__ = ["NodeHandle", "PortHandle", "UnknownPort"]


class UnknownPort(WorkflowInvalid, AttributeError):  # noqa: N818 - as WorkflowInvalid, it says what is so
    """The node has no such port."""


class PortHandle:
    """A port of a node. Whether an input or an output of that name is meant is said by where it is used."""

    __slots__ = ("name", "node")

    def __init__(self, node: NodeHandle, name: str) -> None:
        self.node = node
        self.name = name

    @property
    def path(self) -> str:
        """The output as a part of expressions: `nodes.fetch.body`, with quotes where they are needed.

        Raises WorkflowInvalid for what is only an input.
        """
        self.node.require_output(self.name)
        return f"nodes.{quoted(self.node.id)}.{quoted(self.name)}"

    @property
    def ref(self) -> str:
        """The output as an expression for configs, fixed inputs and outputs: `${{ nodes.fetch.body }}`."""
        return f"${{{{ {self.path} }}}}"

    def __repr__(self) -> str:
        return f"<port {self.name!r} of node {self.node.id!r}>"


class NodeHandle:
    """A node of a builder. `node.body` and `node["body"]` are ports; a name with an underscore first needs the item.

    `done`, `after` and `error` are the ports that every node has. A port called `id` or `node_type` needs the item.
    """

    __slots__ = ("_passes_on", "_place", "_ports", "id", "node_type")

    def __init__(self, node_id: NodeId, node_type: str, place: int, ports: NodePorts, *, passes_on: bool) -> None:
        self.id = node_id
        self.node_type = node_type
        self._place = place
        self._ports = ports
        #: Which outputs there are depends on connections that may come later.
        self._passes_on = passes_on

    @property
    def done(self) -> PortHandle:
        """The output that is true when the node completed."""
        return PortHandle(self, DONE)

    @property
    def after(self) -> PortHandle:
        """The input that takes anything, for order without data."""
        return PortHandle(self, AFTER)

    @property
    def error(self) -> PortHandle:
        """The output with the error of a node whose `on_error` is "route"."""
        return PortHandle(self, ERROR)

    def __getattr__(self, name: str) -> PortHandle:
        if name.startswith("_"):  # what Python itself asks for
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> PortHandle:
        if not (self.takes(name) or self.gives(name)):
            names = [*(port.name for port in (*self._ports.inputs, *self._ports.outputs)), DONE, AFTER, ERROR]
            raise self._unknown(name, "port", names)
        return PortHandle(self, name)

    def __iter__(self) -> Iterator[PortHandle]:
        # With __getitem__ alone Python would ask for the ports 0, 1, 2, …
        msg = f"The ports of node {self.id!r} are not to be counted: take them by name."
        raise TypeError(msg)

    def __repr__(self) -> str:
        return f"<node {self.id!r} ({self.node_type})>"

    def takes(self, name: str) -> bool:
        """Whether there is an input of that name."""
        return name == AFTER or (name not in (DONE, ERROR) and self._ports.takes(name))

    def gives(self, name: str) -> bool:
        """Whether there is an output of that name, or may be one once all connections are made."""
        return name in (DONE, ERROR) or (name != AFTER and (self._passes_on or self._ports.gives(name)))

    def takes_one(self, name: str) -> bool:
        """Whether a second value for that input would have to wait for the first to be absent."""
        port = self._ports.input(name)
        return name != AFTER and not (port is not None and (port.multiple or port.join == "first"))

    def require_output(self, name: str) -> None:
        """Raise UnknownPort unless there is an output of that name."""
        if not self.gives(name):
            hint = "It is an input" if self.takes(name) else ""
            raise self._unknown(name, "output port", [*(port.name for port in self._ports.outputs), DONE, ERROR], hint)

    def require_input(self, name: str) -> None:
        """Raise UnknownPort unless there is an input of that name."""
        if not self.takes(name):
            hint = "It is an output" if self.gives(name) else ""
            raise self._unknown(name, "input port", [*(port.name for port in self._ports.inputs), AFTER], hint)

    def _unknown(self, name: str, what: str, names: list[str], direction: str = "") -> UnknownPort:
        listed = ", ".join(map(repr, dict.fromkeys(names)))
        if direction:
            remedy = f"{direction}; connections lead from an output to an input. There are {listed}."
        else:
            remedy = f"{did_you_mean(name, names)} There are {listed}.".strip()
        problem = Problem(
            code="port.direction" if direction else "port.unknown",
            pointer=f"/nodes/{self._place}",
            message=f"Node {self.id!r} ({self.node_type}) has no {what} {name!r}.",
            remedy=remedy,
        )
        return UnknownPort([problem], problem.message)
