"""Node types that steer a workflow: branches and merges."""

__all__: list[str] = []
