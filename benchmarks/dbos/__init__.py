"""DBOS, another durable engine, to compare with: in an environment and a process of its own."""
