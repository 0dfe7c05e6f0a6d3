"""`POST /v1/decode`: any telegram, explained. The same answer as `polymeter decode --json`."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from typing import Annotated, Any, Final

import msgspec
from fastapi import FastAPI
from pydantic import ConfigDict, Field, JsonValue, StringConstraints
from starlette.responses import Response

from polymeter.api.resource import In
from polymeter.api.routing import READ_UNLESS_PUBLIC, needs
from polymeter.catalogue import PROTOCOLS, LocalProtocolError, decode_frames
from polymeter.services.http import body_problem

__all__ = ["mount"]

INPUT_MAX: Final = 1 << 20
_AT_ONCE: Final = 2
_BASE64: Final = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*")
_HEX: Final = re.compile(r"(?:0x|[\s:,;_-]|[0-9a-fA-F])+")
_EXAMPLE: Final[JsonValue] = {"input": "2F 45 4C 53 35 4D 54 31 37 34 0D 0A", "protocol": "iec62056-21"}
Key = Annotated[str, StringConstraints(max_length=128)]


class DecodeIn(In):
    """A telegram as hex, base64 or text."""

    input: Annotated[str, StringConstraints(min_length=1, max_length=INPUT_MAX)]
    protocol: Annotated[str, StringConstraints(max_length=30)] = Field(
        "auto", description="`auto`, or one of the protocols' names"
    )
    keys: list[Key] = Field(default=[], max_length=20, description="in hex; used for this answer only")
    auth_key: Key | None = None
    lenient: bool = False

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]}, extra="forbid")


def given(text: str) -> bytes | str:
    """The bytes that were meant. Hex before base64: every hex string would pass for base64 too."""
    if _HEX.fullmatch(text) or not _BASE64.fullmatch(text):
        return text
    packed = "".join(text.split())
    if len(packed) % 4 or len(packed) < 8:
        return text
    try:
        return base64.b64decode(packed, validate=True)
    except binascii.Error:
        return text


def _work(body: DecodeIn) -> list[dict[str, Any]]:
    frames = decode_frames(
        given(body.input),
        body.protocol,
        keys=body.keys,
        auth_key=body.auth_key,
        lenient=body.lenient,
    )
    return [frame.as_dict() for frame in frames]


def mount(app: FastAPI) -> None:
    """Add the route."""
    slots = asyncio.Semaphore(_AT_ONCE)

    @app.post("/v1/decode", summary="Decode a telegram", tags=["decode"])
    @needs(READ_UNLESS_PUBLIC)
    async def decode(body: DecodeIn) -> Response:
        """One object per frame: the object itself for one, a list for several. What is wrong with a frame is
        told in it; keys are used for this answer and kept nowhere."""
        if body.protocol not in ("auto", *PROTOCOLS):
            raise body_problem("protocol", f"is none of auto, {', '.join(PROTOCOLS)}")
        async with slots:
            try:
                # A thread, so that a long telegram delays nobody else's answer.
                frames = await asyncio.to_thread(_work, body)
            except LocalProtocolError as error:
                raise body_problem("keys" if "key" in str(error) else "input", str(error)) from error
        content = frames[0] if len(frames) == 1 else frames
        return Response(msgspec.json.encode(content), media_type="application/json")
