"""The builder: adds nodes and connections to a document, and refuses at once what cannot be right."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, Literal

from flowcore.documents import parse_workflow, write_workflow
from flowcore.documents.settings import read_settings
from flowcore.documents.triggers import read_trigger
from flowcore.errors import Problem, WorkflowInvalid
from flowcore.nodes import NodeType
from flowcore.schemas import ANY_SCHEMA, X_WORKFLOW, Schema, fields_marked, known_keys
from flowcore.validation import Wiring, node_ports
from flowcore.values import Value, pointer_of, thaw
from flowcore.workflows import NodeId, Workflow, cycle_problem

from flowruntime.builder.connections import Connections
from flowruntime.builder.handles import NodeHandle, PortHandle
from flowruntime.builder.lines import Lines
from flowruntime.builder.refusing import refuse
from flowruntime.builder.values import marked_as_plain, plain
from flowruntime.expressions.parsing import quoted
from flowruntime.plan import SchemaCache, check_workflow
from flowruntime.registry import Registry

__all__ = ["WorkflowBuilder"]

#: What only the whole document can show: other nodes and connections may still come.
_NOT_YET: Final = frozenset({"node.route_unused", "port.required", "reference.unknown_node"})
#: What the constructor says.
_HEAD: Final = frozenset({"/description", "/id", "/name"})


class WorkflowBuilder:
    """A workflow document in the making.

    Every method raises WorkflowInvalid at once for what cannot become right by what is added later. It reads catalogs
    only: no code of a pack is imported, no event loop is needed. Used from one thread.

    >>> flow = WorkflowBuilder("Say hello")
    >>> hello = flow.add("transform.set", fields={"text": "hello"})
    >>> log = flow.add("debug.log")
    >>> flow.connect(hello.value, log.message)
    >>> [node.id for node in flow.build().nodes]
    ['set', 'log']
    """

    def __init__(
        self,
        name: str,
        *,
        id: str | None = None,
        description: str | None = None,
        registry: Registry | None = None,
        nodes: Iterable[object] = (),
    ) -> None:
        """`registry` None: what is installed. `nodes` are functions and classes with more types, as for `Runtime`."""
        given = {"id": id, "description": description}
        self._document: dict[str, Any] = {"name": name, **{key: value for key, value in given.items() if value}}
        self._registry = (Registry.discover() if registry is None else registry).with_local(nodes)
        self._schemas = SchemaCache()
        self._nodes: list[dict[str, Any]] = []
        self._types: list[NodeType] = []
        self._handles: dict[str, NodeHandle] = {}
        self._node_places: dict[str, int] = {}
        self._connections = Connections()
        #: The last number that made an id, by the word it follows.
        self._numbers: dict[str, int] = {}
        self._inputs: dict[str, Any] = {}
        self._required: list[str] = []
        self._vars: dict[str, Any] = {}
        self._outputs: dict[str, Any] = {}
        self._triggers: list[dict[str, Any]] = []
        self._settings: dict[str, Any] = {}
        self._lines = Lines()
        checked = check_workflow({**self._document, "nodes": []}, self._registry, self._schemas)
        if faults := [problem for problem in checked.problems if problem.pointer in _HEAD]:
            raise WorkflowInvalid(faults)

    # --- nodes -----------------------------------------------------------------------------------------

    def add(
        self,
        node_type: str,
        /,
        *,
        id: str | None = None,
        name: str | None = None,
        description: str | None = None,
        type_version: int | None = None,
        inputs: Mapping[str, Value] | None = None,
        config: Mapping[str, Any] | None = None,
        position: Mapping[str, float] | None = None,
        retry_policy: Mapping[str, float | bool] | None = None,
        timeout_ms: float | None = None,
        on_error: Literal["stop", "continue", "route"] | None = None,
        disabled: bool = False,
        effects: Literal["pure", "read", "write"] | None = None,
        delivery: Literal["at_least_once", "at_most_once"] = "at_least_once",
        placement: str | None = None,
        cache: Mapping[str, float | None] | None = None,
        **config_fields: Any,
    ) -> NodeHandle:
        """Add a node; further keywords are its config. Gives its ports.

        Without an id it gets the last word of the type, with a number when that is taken. Its version is the newest of
        the type unless `type_version` says another. Where a config field is called like one of the options here, give
        `config` (`{}` is enough) to say that the option is meant, and put the field into it. In a config, a builder or
        a Workflow stands for its document; in config and `inputs` the output of a node for its expression.
        """
        node_id = _free(node_type.rpartition(".")[2] or "node", self._handles, self._numbers) if id is None else id
        options: dict[str, Any] = {
            "name": name,
            "description": description,
            "position": position,
            "retry_policy": retry_policy,
            "timeout_ms": timeout_ms,
            "on_error": on_error,
            "disabled": disabled or None,
            "effects": effects,
            "delivery": None if delivery == "at_least_once" else delivery,
            "placement": placement,
            "cache": cache,
        }
        options = {key: value for key, value in options.items() if value is not None}
        found = self._registry.get(node_type, type_version)
        if found is not None and config is None:
            self._refuse_ambiguous(node_id, found, {*options, *(("inputs",) if inputs else ())})
        given = {**(config or {}), **config_fields}
        place = f"nodes/{len(self._nodes)}"
        entry: dict[str, Any] = {"id": node_id, "node_type": node_type}
        if found is not None:
            entry["type_version"] = found.version
        elif type_version is not None:
            entry["type_version"] = type_version
        if given:
            given = {key: _as_document(value) for key, value in given.items()}
            entry["config"] = plain(given, f"{place}/config", takes_ports=True)
            entry["config"] = {key: marked_as_plain(value) for key, value in entry["config"].items()}
        if inputs:
            entry["inputs"] = plain(inputs, f"{place}/inputs", takes_ports=True)
        entry.update(plain(options, place))
        handle = self._added(entry, found)
        self._lines.remember(f"/nodes/{len(self._nodes) - 1}")
        return handle

    def _added(self, entry: dict[str, Any], found: NodeType | None) -> NodeHandle:
        place, node_id = len(self._nodes), entry["id"]
        if node_id in self._handles:
            refuse(
                "node.duplicate_id",
                f"/nodes/{place}/id",
                f"The node id {node_id!r} is taken.",
                "Give it an id of its own, or leave the id out.",
            )
        document = {"name": "node", "vars": self._vars, "nodes": [entry]}
        checked = check_workflow(document, self._registry, self._schemas)
        bodies = _bodies(entry, found)
        faults = [
            replace(problem, pointer=f"/nodes/{place}" + problem.pointer.removeprefix("/nodes/0"))
            for problem in checked.problems
            if problem.severity == "error"
            and (problem.code not in _NOT_YET or problem.pointer.startswith(bodies))
            and problem.pointer.startswith("/nodes/0")
        ]
        if faults or found is None or checked.workflow is None:
            raise WorkflowInvalid(faults or checked.problems)
        self._nodes.append(entry)
        self._types.append(found)
        alone = checked.workflow
        handle = NodeHandle(
            NodeId(node_id),
            found.id,
            place,
            node_ports(alone, 0, found, Wiring.of(alone, {})),
            passes_on=found.outputs.passthrough,
        )
        self._handles[node_id] = handle
        self._node_places[node_id] = place
        return handle

    def connect(self, source: PortHandle, target: PortHandle, *, several: bool = False) -> None:
        """Lead an output to an input.

        `several` allows a second connection into a port that takes one value, where only one of them will be live, as
        after a branch.
        """
        place = len(self._connections.entries)
        for given in (source, target):
            if not isinstance(given, PortHandle):
                raise TypeError(f"connect takes two ports, and got {given!r}; write node.port.")
        for handle in (source.node, target.node):
            if self._handles.get(handle.id) is not handle:
                refuse(
                    "connection.unknown_node",
                    f"/connections/{place}",
                    f"Node {handle.id!r} was added to another builder.",
                    "Connect nodes of one workflow; values go into a body by the inputs of its container.",
                )
        source.node.require_output(source.name)
        target.node.require_input(target.name)
        connection = {
            "from_node": source.node.id,
            "from_port": source.name,
            "to_node": target.node.id,
            "to_port": target.name,
        }
        self._check_connection(connection, place)
        is_filled = self._connections.is_filled(target.node.id, target.name)
        if is_filled and target.node.takes_one(target.name) and not several:
            refuse(
                "port.several_connections",
                f"/connections/{place}/to_port",
                f"The port {target.name!r} of node {target.node.id!r} takes one value, and has a connection already.",
                "Join them with a control.merge or control.first; several=True if only one of them can be live.",
            )
        circle = self._connections.circle(source.node.id, target.node.id)
        if circle is not None:
            raise WorkflowInvalid([cycle_problem(circle, f"/connections/{place}")])
        self._connections.add(connection)
        self._lines.remember(f"/connections/{place}")

    # --- what is around the nodes ----------------------------------------------------------------------

    def input(self, name: str, schema: Schema = ANY_SCHEMA, *, required: bool = False) -> str:
        """Declare an execution input; a `default` in its schema is filled in. Gives its expression.

        >>> WorkflowBuilder("w").input("url", {"type": "string"})
        '${{ input.url }}'
        """
        if name in self._inputs:
            refuse("inputs.duplicate", "/inputs", f"The input {name!r} is declared already.", "Choose another name.")
        declared = plain(schema, f"inputs/properties{pointer_of(name)}")
        # What it refers to may be declared later: then `build` looks at it.
        if "'$ref': '#" not in repr(declared):
            try:
                self._schemas.get(declared)
            except ValueError as error:
                refuse(
                    "document.schema",
                    f"/inputs/properties{pointer_of(name)}",
                    f"The schema of the input {name!r} is no JSON Schema 2020-12: {error}.",
                    "Correct it: {'type': 'string'} is a simple one.",
                )
        self._inputs[name] = declared
        if required:
            self._required.append(name)
        return f"${{{{ input.{quoted(name)} }}}}"

    def var(self, name: str, value: Value) -> str:
        """Set one of the document's `vars`. Gives its expression."""
        self._vars[name] = plain(value, f"vars{pointer_of(name)}")
        return f"${{{{ vars.{quoted(name)} }}}}"

    def output(self, name: str, source: PortHandle | Value) -> None:
        """Declare what the workflow gives under that name: a port's value, or any JSON with expressions in it."""
        self._outputs[name] = plain(source, f"outputs{pointer_of(name)}", takes_ports=True)
        self._lines.remember(f"/outputs{pointer_of(name)}")

    def settings(
        self,
        *,
        max_execution_time_ms: float | None = None,
        max_parallel_nodes: int | None = 10,
        on_error: Literal["StopWorkflow", "ContinueOnError"] | Mapping[str, Any] = "StopWorkflow",
        on_error_workflow: str | None = None,
        concurrency: int | None = None,
        priority: int | None = None,
        placement: str | None = None,
    ) -> None:
        """Say how the whole workflow runs; a second call replaces what the first one said."""
        given: dict[str, Any] = {
            "max_execution_time_ms": max_execution_time_ms,
            "max_parallel_nodes": max_parallel_nodes,
            "on_error": on_error,
            "on_error_workflow": on_error_workflow,
            "concurrency": concurrency,
            "priority": priority,
            "placement": placement,
        }
        values = plain(given, "settings")
        problems: list[Problem] = []
        read_settings(values, problems)
        if problems:
            raise WorkflowInvalid(problems)
        self._settings = values

    def trigger(
        self,
        source: NodeHandle | Literal["Manual", "Cron", "Webhook", "Event"],
        *,
        id: str | None = None,
        enabled: bool = True,
        **fields: Value,
    ) -> None:
        """Say what starts the workflow: a trigger node, or a kind of trigger with its fields.

        >>> WorkflowBuilder("w").trigger("Cron", expression="0 6 * * *", timezone="UTC")
        """
        if isinstance(source, NodeHandle):
            kind: dict[str, Any] = {"type": "Node", "node": source.id}
            place = self._node_places.get(source.id)
            if place is None or not self._types[place].trigger:
                refuse(
                    "trigger.not_a_trigger",
                    f"/triggers/{len(self._triggers)}/trigger_type/node",
                    f"Node {source.id!r} is of the type {source.node_type!r}, which starts no workflow.",
                    "Give a node of a trigger type, or 'Manual', 'Cron', 'Webhook' or 'Event'.",
                )
        else:
            kind = {"type": source, **fields}
        taken = {trigger["id"] for trigger in self._triggers}
        trigger_id = _free("trigger", taken, {}) if id is None else id
        if trigger_id in taken:
            pointer = f"/triggers/{len(self._triggers)}/id"
            refuse("trigger.duplicate_id", pointer, f"The trigger id {trigger_id!r} is taken.", "Choose another.")
        entry = plain({"id": trigger_id, "trigger_type": kind, "enabled": enabled}, "triggers")
        problems: list[Problem] = []
        read_trigger(entry, len(self._triggers), problems)
        if problems:
            raise WorkflowInvalid(problems)
        self._triggers.append(entry)

    # --- the document ----------------------------------------------------------------------------------

    def build(self) -> Workflow:
        """The document, equal to the one that its JSON is read to.

        Raises WorkflowInvalid with all that only the whole can show: inputs that nothing fills, expressions that refer
        to nodes that are not there, circles through them. Its notes say at which lines the faulty parts were made.
        May be called again after more was added.
        """
        document = self._whole()
        checked = check_workflow(document, self._registry, self._schemas)
        if checked.errors:
            error = WorkflowInvalid(checked.problems)
            for note in self._lines.notes(checked.problems):
                error.add_note(note)
            raise error
        return parse_workflow(document)

    def to_json(self) -> dict[str, Any]:
        """The document as plain JSON, to be written into a file. Raises as `build` does."""
        return write_workflow(self.build())

    def _whole(self) -> dict[str, Any]:
        inputs: dict[str, Any] = {"type": "object", "properties": self._inputs}
        if self._required:
            inputs["required"] = self._required
        parts: dict[str, Any] = {
            "inputs": inputs if self._inputs else None,
            "vars": self._vars,
            "nodes": self._nodes,
            "connections": self._connections.entries,
            "triggers": self._triggers,
            "outputs": self._outputs,
            "settings": self._settings,
        }
        whole: dict[str, Any] = thaw({**self._document, **{key: value for key, value in parts.items() if value}})
        whole.setdefault("nodes", [])
        return whole

    # --- checks ----------------------------------------------------------------------------------------

    def _refuse_ambiguous(self, node_id: str, node_type: NodeType, options: set[str]) -> None:
        for name in sorted(options.intersection(known_keys(node_type.config_schema))):
            refuse(
                "builder.ambiguous",
                f"/nodes/{len(self._nodes)}",
                f"{name!r} is an option of every node and a config field of {node_type.id!r} (node {node_id!r}).",
                f"Write config={{{name!r}: …}} for the field, or config={{}} beside {name}=… for the option.",
            )

    def _check_connection(self, connection: dict[str, str], place: int) -> None:
        """Raise what is wrong between the two nodes alone."""
        same = self._connections.place_of(connection)
        if same is not None:
            pointer = f"/connections/{same}"
            refuse(
                "connection.duplicate",
                f"/connections/{place}",
                f"The connection is the same as {pointer}.",
                "Make it once.",
            )
        places = {self._node_places[connection[end]] for end in ("from_node", "to_node")}
        nodes = [self._nodes[number] for number in sorted(places)]
        document = {"name": "connection", "vars": self._vars, "nodes": nodes, "connections": [connection]}
        faults = [
            replace(problem, pointer=f"/connections/{place}" + problem.pointer.removeprefix("/connections/0"))
            for problem in check_workflow(document, self._registry, self._schemas).problems
            if problem.severity == "error" and problem.pointer.startswith("/connections/0")
        ]
        if faults:
            raise WorkflowInvalid(faults)


def _as_document(value: Any) -> Any:
    if isinstance(value, WorkflowBuilder):
        return value.to_json()
    return write_workflow(value) if isinstance(value, Workflow) else value


def _bodies(entry: dict[str, Any], node_type: NodeType | None) -> tuple[str, ...]:
    """Where in a one-node document the documents are that its node holds."""
    if node_type is None:
        return ()
    marked = fields_marked(node_type.config_schema, X_WORKFLOW, entry.get("config", {}))
    return tuple(f"/nodes/0/config{pointer_of(*steps)}/" for steps in marked)


def _free(word: str, taken: Container[str], numbers: dict[str, int]) -> str:
    """The word, or the first of word_2, word_3, … that is not taken; `numbers` remembers where to go on."""
    number = numbers.get(word, 1)
    while (name := word if number == 1 else f"{word}_{number}") in taken:
        number += 1
    numbers[word] = number
    return name
