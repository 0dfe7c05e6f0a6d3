"""placeholder"""

from typing import Any


def mount(application: Any, services: Any) -> None:
    """Nothing yet."""
