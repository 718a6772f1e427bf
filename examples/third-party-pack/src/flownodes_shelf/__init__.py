"""Node types for Flownodes that look after books."""

__all__: list[str] = []
