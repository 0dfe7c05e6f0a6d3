"""A small fleet in a store: what most tests of readings start from."""

from dataclasses import dataclass
from uuid import UUID

from polymeter.domain import Meter, MeterType, Organization, Series
from polymeter.store import Store, Tx, meter_types, meters, organizations, series


@dataclass(frozen=True, slots=True)
class Fleet:
    organization: Organization
    type: MeterType
    energy: Series
    volume: Series
    note: Series
    meter: Meter

    @property
    def id(self) -> UUID:
        return self.organization.id


def found(tx: Tx, name: str = "Stadtwerke", meter: str = "M1") -> Fleet:
    """An organization with three series, one type and one meter."""
    organization = organizations.create(tx, name)
    energy = series.create(tx, organization.id, "1.8.0", "kWh")
    volume = series.create(tx, organization.id, "volume", "m3")
    note = series.create(tx, organization.id, "note", "1", kind="text")
    config = meter_types.create_config(tx, organization.id, "config", [energy.id, volume.id, note.id])
    type = meter_types.create(tx, organization.id, "type", config=config.id)
    return Fleet(
        organization, type, energy, volume, note, meters.create(tx, organization.id, meter, type=type.id)
    )


async def make(store: Store, name: str = "Stadtwerke", meter: str = "M1") -> Fleet:
    return await store.write(found, name, meter)
