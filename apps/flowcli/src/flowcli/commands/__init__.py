"""The commands of `flow`, a module each."""

__all__: list[str] = []
