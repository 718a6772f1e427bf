"""Writes new packs and new nodes: what `flow pack new` does."""

from __future__ import annotations

from flowcli.scaffold.names import Names, read_names
from flowcli.scaffold.project import PackFolder, find_pack
from flowcli.scaffold.writing import add_node, write_pack

__all__ = ["Names", "PackFolder", "add_node", "find_pack", "read_names", "write_pack"]
