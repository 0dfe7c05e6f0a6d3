"""A meter, the type it is of, and the series its type's configuration allows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

__all__ = [
    "Alias",
    "Channel",
    "Meter",
    "MeterConfig",
    "MeterType",
    "NetworkInterface",
    "Scheme",
    "Series",
    "SeriesKind",
]


class SeriesKind(StrEnum):
    """What a value of the series means."""

    REGISTER = "register"
    INTERVAL = "interval"
    INSTANT = "instant"
    TEXT = "text"
    STATUS = "status"


@dataclass(frozen=True, slots=True)
class Series:
    """What is measured and its canonical unit. `key` is the canonical form of `name`, set by the store."""

    id: UUID
    organization: UUID
    name: str
    unit: str
    key: str = ""
    kind: SeriesKind = SeriesKind.REGISTER
    description: str = ""
    unit_description: str | None = None
    si_multiplier: str = "1"
    affected_by_ct_ratio: bool = False
    affected_by_vt_ratio: bool = False
    property_id: str | None = None
    period: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MeterConfig:
    """Which series meters of a type may deliver, and the zone their clocks run in."""

    id: UUID
    organization: UUID
    name: str
    timezone: str = "UTC"
    series: tuple[UUID, ...] = ()
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MeterType:
    """A make and model in one set-up. `catalogue` names the built-in type whose decoding rules apply."""

    id: UUID
    organization: UUID
    name: str
    manufacturer: str = ""
    manufacturer_model: str = ""
    description: str = ""
    config: UUID | None = None
    catalogue: str | None = None
    meter_class: str | None = None
    is_virtual: bool = False
    version: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Meter:
    """A device in the field. Its name is the key under which messages speak of it."""

    id: UUID
    organization: UUID
    name: str
    protocol: str = ""
    type: UUID | None = None
    network_interface: UUID | None = None
    external_system_reference: str | None = None
    manufacturer_serial: str | None = None
    iec62056_21_address: str | None = None
    dlms_logical_device_name: str | None = None
    dlms_system_title: str | None = None
    url: str | None = None
    has_current_transformer: bool = False
    current_transformer_ratio: int = 1
    has_voltage_transformer: bool = False
    voltage_transformer_ratio: int = 1
    has_disconnector: bool = False
    disconnector_status: int | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Scheme(StrEnum):
    """What kind of name an alias is."""

    NAME = "name"
    SERIAL = "serial"
    LOGICAL_DEVICE_NAME = "ldn"
    SYSTEM_TITLE = "system_title"
    ADDRESS = "address"
    MBUS = "mbus"
    OMDP = "omdp"
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True)
class Alias:
    """A name a meter is called by, in one scheme."""

    organization: UUID
    scheme: Scheme
    value: str
    meter: UUID


@dataclass(frozen=True, slots=True)
class Channel:
    """One series on one meter; the small integer that readings are keyed by."""

    id: int
    organization: UUID
    meter: UUID
    series: UUID


@dataclass(frozen=True, slots=True)
class NetworkInterface:
    """Where a meter, or several behind one gateway, are reached."""

    id: UUID
    organization: UUID
    name: str = ""
    static_ip_address: str | None = None
    fqdn: str | None = None
    port: int | None = None
    can_block: bool = False
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def host(self) -> str | None:
        """Name before address, as Utilitarian resolves it."""
        return self.fqdn or self.static_ip_address
