from tests.engines import anyio_backend

__all__ = ["anyio_backend"]
