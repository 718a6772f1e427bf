"""Node types that show what flows through a workflow."""

__all__: list[str] = []
