"""Node types that reshape data."""

__all__: list[str] = []
