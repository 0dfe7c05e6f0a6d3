"""`/v1/metering/meter-devices`: meters, the names they are called by and where they are reached."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import UUID

from fastapi import FastAPI
from pydantic import AfterValidator, Field, StringConstraints, field_validator

from polymeter.api.resource import Clean, In, Out, Resource
from polymeter.api.routing import Paging
from polymeter.services import Access, Services
from polymeter.store import Tx, meters

__all__ = ["mount"]

Protocol = Literal[
    "dlms-cosem", "iec62056-21", "i-flag", "mbus", "modbus", "lis-200", "wmbus", "c12", "corus", "p1", "sml"
]
_SECRETS: Final = frozenset({"password", "key", "auth_key", "dedicated_key"})

Text50 = Annotated[str, StringConstraints(max_length=50), Clean]
Hex = StringConstraints(pattern=r"^([0-9A-Fa-f]{2})*$")
ratio = Field(default=1, ge=0, le=2**31 - 1)


def _parts(url: str) -> tuple[SplitResult, list[tuple[str, str]]]:
    parts = urlsplit(url)
    return parts, parse_qsl(parts.query, keep_blank_values=True)


def _without_secrets(url: str) -> str:
    """An address as it is shown: credentials never leave the platform."""
    try:
        parts, query = _parts(url)
    except ValueError:
        return ""
    shown = [(name, "***" if name in _SECRETS else value) for name, value in query]
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host, query=urlencode(shown, safe="*:/")))


def _no_secrets(url: str) -> str:
    parts, query = _parts(url)
    if "@" in parts.netloc or any(name in _SECRETS for name, _ in query):
        raise ValueError("holds a password or key; those are kept sealed, not in the address")
    return url


class MeterDeviceIn(In):
    """A meter."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=50), Clean] = Field(
        examples=["FIOR78464920374"], description="unique in the organization; messages speak of it by this"
    )
    protocol: Protocol = Field(examples=["iec62056-21"])
    organization: UUID | None = None
    external_system_reference: Text50 | None = None
    manufacturer_serial: Text50 | None = None
    iec62056_21_address: Annotated[str, StringConstraints(max_length=32), Clean] | None = None
    dlms_logical_device_name: Annotated[str, Hex, StringConstraints(max_length=32)] | None = None
    dlms_system_title: Annotated[str, Hex, StringConstraints(max_length=16)] | None = None
    type: UUID | None = None
    network_interface: UUID | None = None
    url: Annotated[str, StringConstraints(max_length=500), Clean, AfterValidator(_no_secrets)] | None = Field(
        default=None, description="where and how it is read, as `polymeter read` takes it"
    )
    has_current_transformer: bool = False
    current_transformer_ratio: int = ratio
    has_voltage_transformer: bool = False
    voltage_transformer_ratio: int = ratio
    has_disconnector: bool = False
    disconnector_status: Literal[0, 1, 2] | None = None


class MeterDeviceOut(Out):
    """A meter."""

    id: UUID
    organization: UUID
    name: str
    protocol: str
    external_system_reference: str | None
    manufacturer_serial: str | None
    iec62056_21_address: str | None
    dlms_logical_device_name: str | None
    dlms_system_title: str | None
    type: UUID | None
    network_interface: UUID | None
    url: str | None
    has_current_transformer: bool
    current_transformer_ratio: int
    has_voltage_transformer: bool
    voltage_transformer_ratio: int
    has_disconnector: bool
    disconnector_status: int | None

    @field_validator("url", mode="before")
    @classmethod
    def _shown(cls, url: str | None) -> str | None:
        return None if url is None else _without_secrets(url)


class MeterDeviceFilters(Paging):
    """Filters."""

    name: Text50 | None = None
    external_system_reference: Text50 | None = None
    manufacturer_serial: Text50 | None = None
    dlms_logical_device_name: Text50 | None = None
    dlms_system_title: Text50 | None = None


async def _release(services: Services, _access: Access, row: Any) -> None:
    # By all names it is called by: the change may be about a serial number.
    await services.ingest.release_staged(row.organization)


def _create(tx: Tx, organization: UUID, values: dict[str, Any]) -> Any:
    return meters.create(tx, organization, values.pop("name"), **values)


def mount(app: FastAPI) -> None:
    """Add the routes."""
    Resource(
        path="/v1/metering/meter-devices",
        noun="meter device",
        tag="meters",
        model=MeterDeviceIn,
        answer=MeterDeviceOut,
        filters=MeterDeviceFilters,
        page=meters.page,
        get=meters.get,
        create=_create,
        change=meters.change,
        remove=meters.remove,
        after=_release,
    ).mount(app)
