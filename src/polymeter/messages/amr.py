"""The AMR unified messages: how values travel between whoever reads meters and whoever needs the values.

Each message is a frozen struct and one exact JSON form. A number is a decimal string: a JSON number would
pass through somebody's float. Times carry their UTC offset. Fields that were not given are not written.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

import msgspec

from polymeter.domain import Exact, Quality, Source, plain

__all__ = [
    "MESSAGES",
    "AmrTask",
    "AmrTaskResult",
    "DlmsPushMessage",
    "DlmsWrapper",
    "InvalidMessage",
    "Message",
    "MeterEvent",
    "NewFrame",
    "NewMeterReading",
    "NewMeterReadings",
    "decode",
    "encode",
    "json_schema",
]

T = TypeVar("T", bound=msgspec.Struct)

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Number = Annotated[
    str,
    msgspec.Meta(
        max_length=220,
        description="an exact decimal number such as 14567.000, never a JSON number",
        extra_json_schema={"pattern": r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?$"},
    ),
]


class InvalidMessage(ValueError):
    """The bytes are not this message; the text names the field and what is wrong with it."""


class NewMeterReading(msgspec.Struct, frozen=True, omit_defaults=True):
    """One value of one series of one meter. Exactly one of `value` and `text` is given."""

    meter: Name
    series: Name
    timestamp: Instant
    value: Number | None = None
    organization: UUID | None = None
    unit: Annotated[str, msgspec.Meta(min_length=1, max_length=20)] | None = None
    quality: tuple[str, ...] = ()
    source: str | None = None
    frame: str | None = None
    text: Annotated[str, msgspec.Meta(max_length=4000)] | None = None

    def __post_init__(self) -> None:
        if (self.value is None) == (self.text is None):
            raise ValueError("value: give either value (an exact decimal string) or text")
        if self.timestamp.tzinfo is None:
            raise ValueError("timestamp: has no UTC offset; write 2019-02-24T06:00:00+01:00")

    @classmethod
    def of(
        cls,
        meter: str,
        series: str,
        timestamp: datetime,
        value: Decimal | str,
        *,
        organization: UUID | None = None,
        unit: str | None = None,
        quality: Quality = Quality.GOOD,
        source: Source | None = None,
        frame: str | None = None,
    ) -> NewMeterReading:
        """The message for a value at hand: a `Decimal` is a number, a `str` a textual value."""
        return cls(
            meter=meter,
            series=series,
            timestamp=timestamp,
            value=plain(value) if isinstance(value, Decimal) else None,
            text=value if isinstance(value, str) else None,
            organization=organization,
            unit=unit,
            quality=quality.names,
            source=source.label if source else None,
            frame=frame,
        )

    @property
    def number(self) -> Decimal | None:
        """The value as a `Decimal`, None for a textual one."""
        if self.value is None:
            return None
        value = Exact.parse(self.value).value
        return value if isinstance(value, Decimal) else None


class NewMeterReadings(msgspec.Struct, frozen=True):
    """Many readings in one message: a hundred times faster over a broker than one each."""

    readings: tuple[NewMeterReading, ...]


class DlmsWrapper(msgspec.Struct, frozen=True):
    """The wrapper header a push arrived in. `destiniation_wport`, as misspelt elsewhere, is read too."""

    source_wport: int
    destination_wport: int = -1
    version: int = 1
    destiniation_wport: int | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        if isinstance(self.destiniation_wport, int):
            if self.destination_wport == -1:
                msgspec.structs.force_setattr(self, "destination_wport", self.destiniation_wport)
            msgspec.structs.force_setattr(self, "destiniation_wport", msgspec.UNSET)
        if self.destination_wport == -1:
            raise ValueError("destination_wport: is missing")


class DlmsPushMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A pushed DLMS frame as it came, still ciphered."""

    payload: bytes
    transport: Literal["udp", "tcp"]
    source_address: str
    source_port: int
    application_context: str
    dlms_wrapper: DlmsWrapper | None = None
    id: str | None = None
    received: Instant | None = None
    organization: UUID | None = None


class NewFrame(msgspec.Struct, frozen=True, omit_defaults=True):
    """Bytes of any protocol as they came. `id` is given by the receiver and makes delivery idempotent."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    protocol: Name
    payload: bytes
    received: Instant
    entrance: str = ""
    peer: str = ""
    organization: UUID | None = None
    meter: str | None = None
    meta: dict[str, Any] = {}


class MeterEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something a meter recorded that is not a value: an opened cover, a power failure."""

    meter: Name
    timestamp: Instant
    title: Annotated[str, msgspec.Meta(min_length=1, max_length=50)]
    content: Annotated[str, msgspec.Meta(max_length=500)] = ""
    code: str | None = None
    organization: UUID | None = None
    frame: str | None = None


class AmrTask(msgspec.Struct, frozen=True, omit_defaults=True):
    """A wake-up: the run it speaks of is a row, and the row decides."""

    run: int
    organization: UUID
    meter: Name
    call: str
    due: Instant
    task: UUID | None = None
    kwargs: dict[str, Any] = {}


class AmrTaskResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a run ended."""

    run: int
    organization: UUID
    meter: Name
    call: str
    due: Instant
    status: Literal["done", "failed"]
    finished: Instant
    task: UUID | None = None
    attempt: int = 1
    reason: str | None = None
    result: Any = None


Message = (
    NewMeterReading | NewMeterReadings | DlmsPushMessage | NewFrame | MeterEvent | AmrTask | AmrTaskResult
)

MESSAGES: dict[str, type[msgspec.Struct]] = {
    "new_meter_reading": NewMeterReading,
    "new_meter_readings": NewMeterReadings,
    "new_dlms_push_message": DlmsPushMessage,
    "new_frame": NewFrame,
    "meter_event": MeterEvent,
    "amr_task": AmrTask,
    "amr_task_result": AmrTaskResult,
}
"""Kind of message, as in its routing key -> its form."""

_ENCODER = msgspec.json.Encoder()
_DECODERS: dict[type, msgspec.json.Decoder[Any]] = {
    form: msgspec.json.Decoder(form) for form in MESSAGES.values()
}


def encode(message: msgspec.Struct) -> bytes:
    """The message's JSON."""
    return _ENCODER.encode(message)


def decode(data: bytes | str, form: type[T]) -> T:
    """Read one message.

    Raises:
        InvalidMessage: it is not one; the text names the field.
    """
    decoder = _DECODERS.get(form) or msgspec.json.Decoder(form)
    try:
        message: T = decoder.decode(data)
    except msgspec.ValidationError as error:
        raise InvalidMessage(_readable(str(error))) from error
    except msgspec.DecodeError as error:
        raise InvalidMessage(f"the message is not JSON: {error}") from error
    except (UnicodeError, RecursionError) as error:  # of a str with half a surrogate pair, too
        raise InvalidMessage(f"the message is not JSON: {error}") from error
    return message


def _readable(error: str) -> str:
    """Put the field first and say what to change, where msgspec says what it expected."""
    what, _, where = error.rpartition(" - at `")
    if not what:
        return error
    field = where.rstrip("`").removeprefix("$").removeprefix(".")
    if what.endswith("with a timezone component"):
        what = "has no UTC offset; write 2019-02-24T06:00:00+01:00"
    elif field.endswith("value") and "str" in what:
        what = 'an exact decimal string such as "14567.000" is expected, not a JSON number'
    head, colon, _ = what.partition(": ")
    if colon and head.isidentifier():
        # Our own checks name the field themselves; msgspec adds only which element it was in.
        return f"{field}.{what}" if field else what
    return f"{field}: {what}" if field else what


def json_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of every message, by kind under `$defs`."""
    schemas, components = msgspec.json.schema_components(
        MESSAGES.values(), schema_hook=None, ref_template="#/$defs/{name}"
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": components,
        "anyOf": list(schemas),
    }
