"""Node types that speak HTTP."""

__all__: list[str] = []
