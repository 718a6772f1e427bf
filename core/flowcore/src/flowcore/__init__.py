"""The pure types of Flownodes: documents, values, node types, events, executions. Standard library only."""

__all__ = ["__version__"]

__version__ = "0.1.0"
