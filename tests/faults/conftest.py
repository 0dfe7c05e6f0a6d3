from tests.engines import anyio_backend, clock, database, databases, engine, store

__all__ = ["anyio_backend", "clock", "database", "databases", "engine", "store"]
