"""`GET /v1/stream`: server-sent events of what was committed, each caller its own organization's."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import FastAPI, Query
from pydantic import BaseModel, ConfigDict, StringConstraints
from starlette.requests import Request
from starlette.responses import StreamingResponse

from polymeter.api.resource import Clean
from polymeter.api.routing import AccessOf, ServicesOf, needs
from polymeter.services import Permission, Problem
from polymeter.services.access import authenticate

__all__ = ["mount"]

_ANSWER: Final = {
    "responses": {
        "200": {
            "description": "events named by the message's kind; `dropped` counts what was missed",
            "content": {
                "text/event-stream": {
                    "example": 'event: new_meter_reading\ndata: {"meter":"FIOR78464920374",…}\n\n'
                }
            },
        }
    }
}


class StreamFilters(BaseModel):
    """Filters."""

    model_config = ConfigDict(extra="forbid")

    meter: Annotated[str, StringConstraints(max_length=200), Clean] | None = None


def mount(app: FastAPI) -> None:
    """Add the route."""

    @app.get("/v1/stream", summary="Listen to stored messages", tags=["readings"], openapi_extra=_ANSWER)
    @needs(Permission.READ)
    async def stream(
        request: Request, services: ServicesOf, access: AccessOf, query: Annotated[StreamFilters, Query()]
    ) -> StreamingResponse:
        """From now on, after commit. What was stored before is in meter-readings."""

        async def still() -> bool:
            # A stream may outlive its token, which is looked at again at every heartbeat.
            try:
                now = await authenticate(services, request)
            except Problem:
                return False
            return now is not None and now.scope == access.scope and now.allows(Permission.READ)

        events = await services.stream.events(access.scope, meter=query.meter, still=still)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)
