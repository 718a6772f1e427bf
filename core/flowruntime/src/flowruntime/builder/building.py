"""The builder: adds nodes and connections to a document, and refuses at once what cannot be right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, Literal, NoReturn

from flowcore.documents import parse_workflow, write_workflow
from flowcore.documents.settings import read_settings
from flowcore.documents.triggers import read_trigger
from flowcore.errors import Problem, WorkflowInvalid
from flowcore.nodes import NodeType
from flowcore.schemas import ANY_SCHEMA, X_WORKFLOW, Schema, fields_marked, known_keys
from flowcore.validation import Wiring, node_ports
from flowcore.values import MAX_DEPTH, NotAValue, Value, check_value, is_tagged, pointer_of, thaw
from flowcore.workflows import NodeId, Workflow, cycle_problem

from flowruntime.builder.handles import NodeHandle, PortHandle
from flowruntime.builder.lines import Lines
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
        self._connections: list[dict[str, str]] = []
        #: The places of nodes by id, and of connections by their four ends.
        self._node_places: dict[str, int] = {}
        self._connection_places: dict[tuple[str, ...], int] = {}
        #: The last number that made an id, by the word it follows.
        self._numbers: dict[str, int] = {}
        #: For each node id the ids of those that follow it.
        self._followers: dict[str, dict[str, None]] = {}
        #: The nodes that a connection leads to, and their inputs.
        self._preceded: set[str] = set()
        self._filled: set[tuple[str, str]] = set()
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
        node_id = self._new_id(node_type) if id is None else id
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
            entry["config"] = self._plain(_with_expressions(given), f"{place}/config")
            entry["config"] = {key: _marked_as_plain(value) for key, value in entry["config"].items()}
        if inputs:
            entry["inputs"] = self._plain(_with_expressions(inputs), f"{place}/inputs")
        entry.update(self._plain(options, place))
        handle = self._added(entry, found)
        self._lines.remember(f"/nodes/{len(self._nodes) - 1}")
        return handle

    def _added(self, entry: dict[str, Any], found: NodeType | None) -> NodeHandle:
        place, node_id = len(self._nodes), entry["id"]
        if node_id in self._handles:
            _refuse(
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
        place = len(self._connections)
        for given in (source, target):
            if not isinstance(given, PortHandle):
                raise TypeError(f"connect takes two ports, and got {given!r}; write node.port.")
        for handle in (source.node, target.node):
            if self._handles.get(handle.id) is not handle:
                _refuse(
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
        end = (target.node.id, target.name)
        if end in self._filled and target.node.takes_one(target.name) and not several:
            _refuse(
                "port.several_connections",
                f"/connections/{place}/to_port",
                f"The port {target.name!r} of node {target.node.id!r} takes one value, and has a connection already.",
                "Join them with a control.merge or control.first; several=True if only one of them can be live.",
            )
        # What nothing leads to is in no circle: looked at first, for graphs that are built from their end.
        closes = source.node is target.node or source.node.id in self._preceded
        circle = self._way(target.node.id, source.node.id) if closes else None
        if circle is not None:
            raise WorkflowInvalid([cycle_problem(circle, f"/connections/{place}")])
        self._connection_places[tuple(connection.values())] = place
        self._connections.append(connection)
        self._lines.remember(f"/connections/{place}")
        self._preceded.add(target.node.id)
        self._filled.add(end)
        self._followers.setdefault(source.node.id, {})[target.node.id] = None

    # --- what is around the nodes ----------------------------------------------------------------------

    def input(self, name: str, schema: Schema = ANY_SCHEMA, *, required: bool = False) -> str:
        """Declare an execution input; a `default` in its schema is filled in. Gives its expression.

        >>> WorkflowBuilder("w").input("url", {"type": "string"})
        '${{ input.url }}'
        """
        if name in self._inputs:
            _refuse("inputs.duplicate", "/inputs", f"The input {name!r} is declared already.", "Choose another name.")
        plain = self._plain(schema, f"inputs/properties{pointer_of(name)}")
        # What it refers to may be declared later: then `build` looks at it.
        if "'$ref': '#" not in repr(plain):
            try:
                self._schemas.get(plain)
            except ValueError as error:
                _refuse(
                    "document.schema",
                    f"/inputs/properties{pointer_of(name)}",
                    f"The schema of the input {name!r} is no JSON Schema 2020-12: {error}.",
                    "Correct it: {'type': 'string'} is a simple one.",
                )
        self._inputs[name] = plain
        if required:
            self._required.append(name)
        return f"${{{{ input.{quoted(name)} }}}}"

    def var(self, name: str, value: Value) -> str:
        """Set one of the document's `vars`. Gives its expression."""
        self._vars[name] = self._plain(value, f"vars{pointer_of(name)}")
        return f"${{{{ vars.{quoted(name)} }}}}"

    def output(self, name: str, source: PortHandle | Value) -> None:
        """Declare what the workflow gives under that name: a port's value, or any JSON with expressions in it."""
        self._outputs[name] = self._plain(_with_expressions(source), f"outputs{pointer_of(name)}")
        self._lines.remember(f"/outputs{pointer_of(name)}")

    def settings(
        self,
        *,
        max_execution_time_ms: float | None = None,
        max_parallel_nodes: int | None = 10,
        on_error: str | Mapping[str, Any] = "StopWorkflow",
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
        values = self._plain(given, "settings")
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
            place = next((place for place, node in enumerate(self._nodes) if node["id"] == source.id), None)
            if place is None or not self._types[place].trigger:
                _refuse(
                    "trigger.not_a_trigger",
                    f"/triggers/{len(self._triggers)}/trigger_type/node",
                    f"Node {source.id!r} is of the type {source.node_type!r}, which starts no workflow.",
                    "Give a node of a trigger type, or 'Manual', 'Cron', 'Webhook' or 'Event'.",
                )
        else:
            kind = {"type": source, **fields}
        taken = {trigger["id"] for trigger in self._triggers}
        trigger_id = _free("trigger", taken) if id is None else id
        if trigger_id in taken:
            pointer = f"/triggers/{len(self._triggers)}/id"
            _refuse("trigger.duplicate_id", pointer, f"The trigger id {trigger_id!r} is taken.", "Choose another.")
        entry = self._plain({"id": trigger_id, "trigger_type": kind, "enabled": enabled}, "triggers")
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
            "connections": self._connections,
            "triggers": self._triggers,
            "outputs": self._outputs,
            "settings": self._settings,
        }
        whole: dict[str, Any] = thaw({**self._document, **{key: value for key, value in parts.items() if value}})
        whole.setdefault("nodes", [])
        return whole

    # --- checks ----------------------------------------------------------------------------------------

    def _new_id(self, node_type: str) -> str:
        word = node_type.rpartition(".")[2] or "node"
        number = self._numbers.get(word, 1)
        while (name := word if number == 1 else f"{word}_{number}") in self._handles:
            number += 1
        self._numbers[word] = number
        return name

    def _refuse_ambiguous(self, node_id: str, node_type: NodeType, options: set[str]) -> None:
        for name in sorted(options.intersection(known_keys(node_type.config_schema))):
            _refuse(
                "builder.ambiguous",
                f"/nodes/{len(self._nodes)}",
                f"{name!r} is an option of every node and a config field of {node_type.id!r} (node {node_id!r}).",
                f"Write config={{{name!r}: …}} for the field, or config={{}} beside {name}=… for the option.",
            )

    def _check_connection(self, connection: dict[str, str], place: int) -> None:
        """Raise what is wrong between the two nodes alone."""
        same = self._connection_places.get(tuple(connection.values()))
        if same is not None:
            pointer = f"/connections/{same}"
            _refuse(
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

    def _way(self, start: str, end: str) -> list[str] | None:
        """The nodes on a way that the connections make from one node to another, None when there is none."""
        came_from: dict[str, str] = {start: start}
        waiting = [start]
        while waiting:
            node = waiting.pop()
            if node == end:
                way = [node]
                while way[-1] != start:
                    way.append(came_from[way[-1]])
                return way[::-1]
            for follower in self._followers.get(node, ()):
                if follower not in came_from:
                    came_from[follower] = node
                    waiting.append(follower)
        return None

    def _plain(self, value: Any, place: str) -> Any:
        """A copy of a value that nobody else can change. Raises WorkflowInvalid for what is no JSON."""
        try:
            plain = _copied(value)
        except RecursionError:
            _refuse(
                "json.depth", f"/{place}", "The value holds itself, or is nested too deeply.", "Hand on a part of it."
            )
        try:
            check_value(plain)
        except NotAValue as error:
            _refuse(error.code, f"/{place}{error.pointer}", f"The value cannot be used: {error}.", error.remedy)
        return plain


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(item) for item in value]
    return value


def _with_expressions(value: Any) -> Any:
    """The value with expressions where outputs of nodes stand, as deep as values may be."""

    def written(part: Any, depth: int) -> Any:
        if isinstance(part, PortHandle):
            return part.ref
        if depth and isinstance(part, Mapping):
            return {key: written(item, depth - 1) for key, item in part.items()}
        return [written(item, depth - 1) for item in part] if depth and isinstance(part, list | tuple) else part

    return written(value, MAX_DEPTH)


def _as_document(value: Any) -> Any:
    if isinstance(value, WorkflowBuilder):
        return value.to_json()
    return write_workflow(value) if isinstance(value, Workflow) else value


def _marked_as_plain(value: Any) -> Any:
    # A plain value that looks like a tagged one would be taken for one: the tag Json says that it is plain.
    return {"type": "Json", "value": value} if is_tagged(value) else value


def _bodies(entry: dict[str, Any], node_type: NodeType | None) -> tuple[str, ...]:
    """Where in a one-node document the documents are that its node holds."""
    if node_type is None:
        return ()
    marked = fields_marked(node_type.config_schema, X_WORKFLOW, entry.get("config", {}))
    return tuple(f"/nodes/0/config{pointer_of(*steps)}/" for steps in marked)


def _free(word: str, taken: Iterable[str]) -> str:
    """The word, or the first of word_2, word_3, … that is not taken."""
    names = set(taken)
    number, name = 1, word
    while name in names:
        number += 1
        name = f"{word}_{number}"
    return name


def _refuse(code: str, pointer: str, message: str, remedy: str) -> NoReturn:
    raise WorkflowInvalid([Problem(code=code, pointer=pointer, message=message, remedy=remedy)])
