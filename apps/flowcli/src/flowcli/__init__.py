"""The `flow` command."""

__all__: list[str] = []
