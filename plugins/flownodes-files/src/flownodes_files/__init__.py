"""Node types that read and write files in the folders that the operator allows."""

__all__: list[str] = []
