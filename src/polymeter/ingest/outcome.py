"""What ingest answers for each reading it was given, and the door the reading came in by."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from polymeter.domain import Source

__all__ = ["Entrance", "Outcome", "Status"]


@dataclass(frozen=True, slots=True)
class Entrance:
    """Where readings come in: a receiver, the bus, a request's token.

    A message that names no organization takes the entrance's; one that names another is refused. An entrance
    without an organization is the platform's own: there a message says whose it is, or its meter's name
    must be unique on the platform.
    """

    name: str
    organization: UUID | None = None
    source: Source = Source.PUSH


class Status(StrEnum):
    """What became of one reading."""

    STORED = "stored"
    UNCHANGED = "unchanged"
    REVISED = "revised"
    STAGED = "staged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer for one reading. Every status but `REFUSED` means that it is on disk.

    `id` is the stored reading's; `malformed` tells a reading that can never be stored from one that was
    refused because its range has been deleted. An outranked value is `REVISED` with a reason: it is kept as
    a revision.
    """

    status: Status
    reason: str = ""
    id: int | None = None
    malformed: bool = False
