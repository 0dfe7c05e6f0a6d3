"""The application: all resources on one FastAPI, and the document that describes them."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from polymeter.api import (
    amr_tasks,
    auth,
    decode,
    docs,
    health,
    meter_device_configs,
    meter_device_types,
    meter_devices,
    meter_reading_series,
    meter_readings,
    network_interfaces,
    new_meter_readings,
    organizations,
    staged_meter_readings,
    stream,
)
from polymeter.api.routing import Route
from polymeter.messages import NewMeterReading
from polymeter.services import Services, http

__all__ = ["create", "describe"]

_MODULES: Final = (
    organizations,
    meter_devices,
    meter_device_types,
    meter_device_configs,
    meter_reading_series,
    network_interfaces,
    new_meter_readings,
    meter_readings,
    staged_meter_readings,
    amr_tasks,
    auth,
    decode,
    stream,
    health,
    docs,
)

_DESCRIPTION: Final = """\
Reads any utility meter and loses nothing. Compatible with Utilitarian.

Services log in with `Authorization: Token …`, people with `Authorization: JWT …` from
`/v1/auth/jwt/token`. Everything a caller sees is its own organization's; what is another's does not
exist. A trailing slash makes no difference. Lists take `limit` and `offset`. Errors are problem documents
(RFC 9457).
"""


def create(services: Services) -> FastAPI:
    """The application, to be served by any ASGI server. It needs no lifespan of its own."""
    app = FastAPI(
        title="polymeter",
        version=version("polymeter"),
        description=_DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.router.route_class = Route
    app.state.services = services
    for module in _MODULES:
        module.mount(app)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]
    http.install(app, services)
    return app


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        parts = schema.setdefault("components", {})
        schemas = parts.setdefault("schemas", {})
        _, components = msgspec.json.schema_components(
            [NewMeterReading, meter_readings.ReadingOut, meter_readings.ReadingsOut],
            ref_template="#/components/schemas/{name}",
        )
        schemas |= components
        schemas.pop("HTTPValidationError", None)
        schemas.pop("ValidationError", None)
        schemas["Problem"] = _PROBLEM
        parts["securitySchemes"] = _SECURITY
        schema["security"] = [{"token": []}, {"jwt": []}]
        for operations in schema["paths"].values():
            for operation in operations.values():
                _errors(operation)
        app.openapi_schema = schema
    return app.openapi_schema


_PROBLEM: Final = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
_SECURITY: Final = {
    "token": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "`Token pm_…`"},
    "jwt": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "`JWT …`"},
}
_TEXTS: Final = {
    "400": "the request is not JSON",
    "401": "no login, or one that is over",
    "403": "the login does not allow this",
    "404": "there is no such object, or not for this caller",
    "409": "it contradicts what is there",
    "413": "too long",
    "415": "the body is not JSON",
    "422": "a field is wrong; `errors` names it",
    "503": "store or bus is away; try again",
}


def _errors(operation: dict[str, Any]) -> None:
    """Say which problems an operation may answer with."""
    answers = operation["responses"]
    codes = ["503"]
    if operation.get("x-permission") != "public":
        codes += ["401", "403"]
    if any(parameter["in"] == "path" for parameter in operation.get("parameters", ())):
        codes += ["404"]
    if "requestBody" in operation:
        codes += ["400", "409", "413", "415", "422"]
    if operation.get("parameters"):
        codes += ["422"]
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for code in sorted(set(codes)):
        answers[code] = {"description": _TEXTS[code], "content": content}
