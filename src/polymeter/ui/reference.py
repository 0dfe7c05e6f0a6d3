"""The reference page of the HTTP interface, made from the route table: `docs/reference/http.md`.

It stands in this room, because only here pages and interface are one application.
"""

from __future__ import annotations

from typing import Any

from polymeter.api import route_table
from polymeter.api.application import create
from polymeter.ui.pages import mount

__all__ = ["markdown"]

_HEAD = """\
# HTTP interface

Generated from the route table; do not edit by hand. A running server shows the same with examples under
`/docs`, and for programs under `/openapi.json`. How to use it: [use the API](../howto/use-the-api.md).

`needs` is the permission a caller must have. Roles have them: `reader` read; `operator` read, ingest, write,
control; `admin` all. A service token has those it was made with. Who lacks one gets 403; who is not logged in
gets 401; an object of another organization is 404. `public` needs no login. A trailing slash makes no
difference.
"""


class _Nothing:
    """Stands for the services: the routes are listed, none is called."""

    settings: Any = None


def markdown() -> str:
    """The page."""
    from polymeter.settings import Settings

    services: Any = _Nothing()
    services.settings = Settings()
    app = create(services)
    mount(app, services)
    schema = app.openapi()
    groups: dict[str, list[str]] = {}
    for info in route_table(app):
        operation = schema["paths"].get(info.path, {}).get(info.method.lower())
        tag = (operation.get("tags") or ["other"])[0] if operation else "pages"
        summary = info.summary if operation else _page(info.path, info.method)
        groups.setdefault(tag, []).append(
            f"| {info.method} | `{info.path}` | {summary}{_filters(operation)} | {info.permission} |"
        )
    parts = [_HEAD]
    for tag, rows in groups.items():
        parts.append(
            f"## {tag.capitalize()}\n\n| | path | does | needs |\n|---|---|---|---|\n" + "\n".join(rows)
        )
    return "\n".join(part.rstrip() + "\n" for part in parts)


def _filters(operation: dict[str, Any] | None) -> str:
    names = [item["name"] for item in (operation or {}).get("parameters", ()) if item["in"] == "query"]
    wanted = [name for name in names if name not in ("limit", "offset")]
    return f"; filters: {', '.join(f'`{name}`' for name in wanted)}" if wanted else ""


def _page(path: str, method: str) -> str:
    pages = {
        "/": "The fleet",
        "/meters/{id}": "One meter",
        "/meters/{id}/chart": "Its chart, for the page's script",
        "/login": "Log in" if method == "POST" else "The login page",
        "/logout": "Log out",
        "/static/{name}": "Files of the pages",
    }
    return pages[path]
