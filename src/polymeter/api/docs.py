"""`/openapi.json`, and `/docs`, the same for people: made here, because our pages load nothing foreign."""

from __future__ import annotations

import json
from html import escape
from typing import Any

import msgspec
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from polymeter.api.routing import PUBLIC, needs

__all__ = ["mount", "page"]

_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}
code,pre{font:14px/1.4 ui-monospace,monospace}
pre{overflow-x:auto;padding:.75rem;border:1px solid #8885;border-radius:.4rem}
summary{cursor:pointer;padding:.5rem 0}
details{border-bottom:1px solid #8885}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.25rem .5rem;border-bottom:1px solid #8883;vertical-align:top}
.method{display:inline-block;min-width:4.5rem;font-weight:700}
"""


def mount(app: FastAPI) -> None:
    """Add the routes."""

    @app.get("/openapi.json", summary="This interface as OpenAPI", tags=["docs"])
    @needs(PUBLIC)
    async def document(request: Request) -> Response:
        return Response(msgspec.json.encode(request.app.openapi()), media_type="application/json")

    @app.get("/docs", summary="This interface, to read", tags=["docs"])
    @needs(PUBLIC)
    async def readable(request: Request) -> HTMLResponse:
        return HTMLResponse(page(request.app.openapi()))


def page(schema: dict[str, Any]) -> str:
    """The OpenAPI document as one page of HTML."""
    groups: dict[str, list[str]] = {}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            tag = (operation.get("tags") or ["other"])[0]
            groups.setdefault(tag, []).append(_operation(schema, path, method, operation))
    title = escape(f"{schema['info']['title']} {schema['info']['version']}")
    intro = "".join(f"<p>{_marked(part)}</p>" for part in schema["info"]["description"].split("\n\n"))
    body = "".join(f"<h2>{escape(tag)}</h2>{''.join(items)}" for tag, items in groups.items())
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}: HTTP interface</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main><h1>{title}: HTTP interface</h1>{intro}"
        f'<p>For programs: <a href="/openapi.json">openapi.json</a></p>{body}</main></body></html>'
    )


def _operation(schema: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> str:
    parts = [f"<p>{_marked(operation['description'])}</p>"] if operation.get("description") else []
    parts.append(f"<p>Needs: <code>{escape(str(operation.get('x-permission', '')))}</code></p>")
    parameters = operation.get("parameters", [])
    if parameters:
        rows = "".join(
            f"<tr><td><code>{escape(item['name'])}</code></td><td>{escape(item['in'])}</td>"
            f"<td>{escape(_kind(item.get('schema', {})))}</td></tr>"
            for item in parameters
        )
        parts.append(f"<table><tr><th>parameter</th><th>in</th><th>is</th></tr>{rows}</table>")
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body:
        parts.append(f"<p>Body:</p><pre>{escape(_example(schema, body))}</pre>")
    answers = ", ".join(
        f"{code} {escape(answer['description'])}" for code, answer in sorted(operation["responses"].items())
    )
    parts.append(f"<p>Answers: {answers}</p>")
    summary = escape(operation.get("summary", ""))
    return (
        f'<details><summary><span class="method">{method.upper()}</span> <code>{escape(path)}</code> '
        f"{summary}</summary>{''.join(parts)}</details>"
    )


def _kind(schema: dict[str, Any]) -> str:
    choices = schema.get("anyOf")
    if choices:
        return " or ".join(_kind(choice) for choice in choices)
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    return str(schema.get("format") or schema.get("type") or schema.get("$ref", "").rsplit("/", 1)[-1])


def _example(schema: dict[str, Any], body: dict[str, Any]) -> str:
    for named in body.get("examples", {}).values():
        return json.dumps(named["value"], indent=2)
    return json.dumps(sample(schema, body["schema"]), indent=2)


def sample(schema: dict[str, Any], part: dict[str, Any]) -> Any:
    """A value that fits a schema, from its examples and defaults where it has them."""
    if "$ref" in part:
        return sample(schema, schema["components"]["schemas"][part["$ref"].rsplit("/", 1)[-1]])
    for known in ("examples", "enum"):
        if part.get(known):
            return part[known][0]
    if "default" in part:
        return part["default"]
    if "const" in part:
        return part["const"]
    for several in ("anyOf", "oneOf"):
        if several in part:
            return sample(schema, part[several][0])
    if part.get("type") == "object":
        return {name: sample(schema, item) for name, item in part.get("properties", {}).items()}
    formats = {"uuid": "8a4c1f3e-5b1d-4f0e-9d2c-3f6b7a8c9d0e", "date-time": "2019-02-24T06:00:00+01:00"}
    simple = {"array": [], "integer": 0, "boolean": False, "number": 0}
    return formats.get(part.get("format", ""), simple.get(part.get("type", ""), "…"))


def _marked(text: str) -> str:
    """Code between back-ticks."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if i % 2 else piece for i, piece in enumerate(pieces))
