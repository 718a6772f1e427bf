"""Node types that ask and change SQLite and PostgreSQL databases."""

__all__: list[str] = []
