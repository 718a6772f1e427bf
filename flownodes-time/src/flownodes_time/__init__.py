"""Node types that deal with time."""

__all__: list[str] = []
