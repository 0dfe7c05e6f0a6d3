"""Problem documents (RFC 9457): every error that leaves the HTTP interface is one of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

__all__ = ["CHALLENGE", "MEDIA_TYPE", "FieldError", "Problem", "document", "not_found"]

MEDIA_TYPE: Final = "application/problem+json"
CHALLENGE: Final = 'Token realm="polymeter", JWT realm="polymeter", Bearer realm="polymeter"'
"""What a 401 says: the ways to log in."""

FieldError = Mapping[str, str]
"""`{"field": …, "message": …}`: what is wrong with which part of a request."""


class Problem(HTTPException):
    """An error that is the answer. Raised anywhere below a route, it ends the request with its document."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        if status == HTTPStatus.UNAUTHORIZED:
            self.headers = {"WWW-Authenticate": CHALLENGE, **(self.headers or {})}
        self.errors = tuple(errors)
        self.more = dict(more or {})


def not_found(what: str) -> Problem:
    """The object does not exist, or not for this caller: the two answers are the same."""
    return Problem(404, f"there is no such {what}")


def document(
    status: int,
    detail: str,
    *,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """The answer that says what went wrong."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **(more or {}),
    }
    if errors:
        body["errors"] = list(errors)
    return Response(msgspec.json.encode(body), status, dict(headers or {}), media_type=MEDIA_TYPE)
