"""The engine: decides in a pure machine, acts in a small executor, and is supervised."""

from flowruntime.engine.supervisor import Supervisor

__all__ = ["Supervisor"]
