"""The connections of a builder: which there are, and where they lead."""

from __future__ import annotations

__all__ = ["Connections"]


class Connections:
    """Connections as they stand in a document, with what is asked for each new one at hand."""

    def __init__(self) -> None:
        self.entries: list[dict[str, str]] = []
        #: Their places by their four ends.
        self._places: dict[tuple[str, ...], int] = {}
        #: For each node id the ids of those that follow it.
        self._followers: dict[str, dict[str, None]] = {}
        #: The nodes that a connection leads to, and their inputs.
        self._preceded: set[str] = set()
        self._filled: set[tuple[str, str]] = set()

    def add(self, connection: dict[str, str]) -> None:
        """Add one."""
        source, target = connection["from_node"], connection["to_node"]
        self._places[tuple(connection.values())] = len(self.entries)
        self.entries.append(connection)
        self._preceded.add(target)
        self._filled.add((target, connection["to_port"]))
        self._followers.setdefault(source, {})[target] = None

    def place_of(self, connection: dict[str, str]) -> int | None:
        """The place of the same one."""
        return self._places.get(tuple(connection.values()))

    def is_filled(self, node_id: str, port: str) -> bool:
        """Whether one leads to that input."""
        return (node_id, port) in self._filled

    def circle(self, source: str, target: str) -> list[str] | None:
        """The nodes of the circle that one from `source` to `target` would close, from `target` on; mostly None."""
        # What nothing leads to is in no circle: looked at first, for graphs that are built from their end.
        if source != target and source not in self._preceded:
            return None
        came_from = {target: target}
        waiting = [target]
        while waiting:
            node = waiting.pop()
            if node == source:
                way = [node]
                while way[-1] != target:
                    way.append(came_from[way[-1]])
                return way[::-1]
            for follower in self._followers.get(node, ()):
                if follower not in came_from:
                    came_from[follower] = node
                    waiting.append(follower)
        return None
