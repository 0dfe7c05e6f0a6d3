"""Templates, what they may call, and the files they refer to."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from polymeter.domain import plain

__all__ = ["File", "files", "render"]

_HERE: Final = Path(__file__).parent / "static"
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class File:
    """A file of ours, compressed once."""

    content: bytes
    packed: bytes
    media_type: str
    tag: str


@cache
def files() -> Mapping[str, File]:
    """The files of the pages, by name; Bokeh's script from its installed package is one of them."""
    found = {path.name: path for path in _HERE.iterdir() if path.suffix in _TYPES}
    found[_bokeh_name()] = _bokeh_path()
    return {name: _file(path) for name, path in found.items()}


def _file(path: Path) -> File:
    content = path.read_bytes()
    tag = hashlib.sha256(content).hexdigest()[:16]
    return File(content, gzip.compress(content, 6, mtime=0), _TYPES[path.suffix], tag)


def _bokeh_name() -> str:
    return f"bokeh-{version('bokeh')}.min.js"


def _bokeh_path() -> Path:
    # Found without importing bokeh, which takes half a second and is needed for charts only.
    from importlib.util import find_spec

    spec = find_spec("bokeh")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "server" / "static" / "js" / "bokeh.min.js"


def _static(name: str) -> str:
    """The address of a file; it changes with its content, so that it may be kept for ever."""
    file = _bokeh_name() if name == "bokeh" else name
    return f"/static/{file}?v={files()[file].tag}"


def _moment(at: datetime, zone: str = "UTC") -> str:
    return at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S")


def _offset(at: datetime, zone: str) -> str:
    text = at.astimezone(ZoneInfo(zone)).strftime("%z")
    return f"UTC{text[:3]}:{text[3:]}" if text.strip("+0") else "UTC"


def _value(value: Decimal | str) -> str:
    return plain(value) if isinstance(value, Decimal) else value


def _ago(age: timedelta) -> str:
    seconds = max(0, int(age.total_seconds()))
    for size, word in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {word} ago"
    return f"{seconds} s ago"


def _every(seconds: float) -> str:
    for size, word in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{round(seconds / size, 1):g} {word}"
    return f"{round(seconds):g} s"


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("polymeter.ui"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        moment=_moment, offset=_offset, value=_value, ago=_ago, every=_every, quoted=lambda t: quote(t, "")
    )
    made.globals.update(static=_static, version=version("polymeter"))
    return made


def render(request: Request, template: str, **values: Any) -> HTMLResponse:
    """A page. Pages show what is a tenant's and are kept by no cache."""
    access = getattr(request.state, "access", None)
    html = _environment().get_template(template).render(path=request.url.path, access=access, **values)
    return HTMLResponse(html, headers={"Cache-Control": "no-store"})
