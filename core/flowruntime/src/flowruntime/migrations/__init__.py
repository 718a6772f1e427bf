"""Brings workflows that were saved with older node types to the types that are installed."""

from flowruntime.migrations.moves import Move, TypeVersions, outdated_moves, upgrade_moves
from flowruntime.migrations.moving import Moved, bring_up_to_date, move_nodes
from flowruntime.migrations.references import rename_references
from flowruntime.migrations.running import run_migrate

__all__ = [
    "Move",
    "Moved",
    "TypeVersions",
    "bring_up_to_date",
    "move_nodes",
    "outdated_moves",
    "rename_references",
    "run_migrate",
    "upgrade_moves",
]
