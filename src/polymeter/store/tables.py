"""The schema, one table per noun; names and keys are final, migrations only add.

Everything a tenant owns has `organization`, and every uniqueness starts with it. `reading` has no foreign
keys: they would be checked for each row of the bulk path, and a channel with readings is never deleted.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from polymeter.store.types import BigInt, Instant, Json, Moment

__all__ = ["metadata"]

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

C = sa.Column


def _id() -> C[Any]:
    return C("id", sa.Uuid, primary_key=True)


def _serial() -> C[Any]:
    return C("id", BigInt, primary_key=True, autoincrement=True)


def _ref(name: str, target: str, *, nullable: bool = False, **more: Any) -> C[Any]:
    return C(name, sa.Uuid, sa.ForeignKey(f"{target}.id"), nullable=nullable, **more)


def _organization(*, nullable: bool = False) -> C[Any]:
    return _ref("organization", "organization", nullable=nullable)


def _stamps() -> tuple[C[Any], C[Any]]:
    return C("created_at", Moment, nullable=False), C("updated_at", Moment, nullable=False)


def _text(name: str, *, default: str | None = "", nullable: bool = False) -> C[Any]:
    return C(name, sa.Text, nullable=nullable, default=None if nullable else default)


def _flag(name: str, *, default: bool = False) -> C[Any]:
    return C(name, sa.Boolean, nullable=False, default=default)


def _value() -> tuple[C[Any], ...]:
    """The columns of one exact value with its quality, source and origin, in the order of `Row`."""
    return (
        C("mantissa", sa.BigInteger),
        C("exponent", sa.SmallInteger),
        C("text", sa.Text),
        C("quality", sa.Integer, nullable=False),
        C("source", sa.SmallInteger, nullable=False),
        C("received", Instant, nullable=False),
        C("frame", sa.BigInteger),
    )


def _table(name: str, *items: Any, **more: Any) -> sa.Table:
    return sa.Table(name, metadata, *items, **more)


organization = _table(
    "organization",
    _id(),
    C("name", sa.Text, nullable=False, unique=True),
    _flag("is_active", default=True),
    *_stamps(),
)
user = _table(
    "user",
    _id(),
    C("name", sa.Text, nullable=False, unique=True),
    _text("password_hash", nullable=True),
    _flag("is_active", default=True),
    _flag("is_staff"),
    *_stamps(),
)
membership = _table(
    "membership",
    _serial(),
    _organization(),
    _ref("user", "user"),
    C("role", sa.Text, nullable=False),
    *_stamps(),
    sa.UniqueConstraint("organization", "user"),
)
token = _table(
    "token",
    _id(),
    C("name", sa.Text, nullable=False),
    _organization(nullable=True),
    C("digest", sa.LargeBinary, nullable=False, unique=True),
    C("scopes", Json, nullable=False),
    _ref("user", "user", nullable=True),
    C("expires", Moment),
    C("revoked", Moment),
    C("last_used", Moment),
    *_stamps(),
)
series = _table(
    "series",
    _id(),
    _organization(),
    C("name", sa.Text, nullable=False),
    C("key", sa.Text, nullable=False),
    C("unit", sa.Text, nullable=False),
    C("kind", sa.Text, nullable=False),
    _text("description"),
    _text("unit_description", nullable=True),
    C("si_multiplier", sa.Text, nullable=False, default="1"),
    _flag("affected_by_ct_ratio"),
    _flag("affected_by_vt_ratio"),
    _text("property_id", nullable=True),
    _text("period", nullable=True),
    *_stamps(),
    sa.UniqueConstraint("organization", "key"),
)
meter_config = _table(
    "meter_config",
    _id(),
    _organization(),
    C("name", sa.Text, nullable=False),
    C("timezone", sa.Text, nullable=False),
    *_stamps(),
    sa.UniqueConstraint("organization", "name"),
)
meter_config_series = _table(
    "meter_config_series",
    C("config", sa.Uuid, sa.ForeignKey("meter_config.id", ondelete="CASCADE"), primary_key=True),
    C("series", sa.Uuid, sa.ForeignKey("series.id"), primary_key=True, index=True),
)
meter_type = _table(
    "meter_type",
    _id(),
    _organization(),
    C("name", sa.Text, nullable=False),
    _text("manufacturer"),
    _text("manufacturer_model"),
    _text("description"),
    _ref("config", "meter_config", nullable=True, index=True),
    _text("catalogue", nullable=True),
    _text("meter_class", nullable=True),
    _flag("is_virtual"),
    _text("version", nullable=True),
    *_stamps(),
    sa.UniqueConstraint("organization", "name"),
)
network_interface = _table(
    "network_interface",
    _id(),
    _organization(),
    _text("name"),
    _text("static_ip_address", nullable=True),
    _text("fqdn", nullable=True),
    C("port", sa.Integer),
    _flag("can_block"),
    *_stamps(),
)
meter = _table(
    "meter",
    _id(),
    _organization(),
    C("name", sa.Text, nullable=False),
    _text("protocol"),
    _ref("type", "meter_type", nullable=True, index=True),
    _ref("network_interface", "network_interface", nullable=True, index=True),
    _text("external_system_reference", nullable=True),
    _text("manufacturer_serial", nullable=True),
    _text("iec62056_21_address", nullable=True),
    _text("dlms_logical_device_name", nullable=True),
    _text("dlms_system_title", nullable=True),
    _text("url", nullable=True),
    _flag("has_current_transformer"),
    C("current_transformer_ratio", sa.Integer, nullable=False),
    _flag("has_voltage_transformer"),
    C("voltage_transformer_ratio", sa.Integer, nullable=False),
    _flag("has_disconnector"),
    C("disconnector_status", sa.SmallInteger),
    *_stamps(),
    sa.UniqueConstraint("organization", "name"),
)
meter_alias = _table(
    "meter_alias",
    C("organization", sa.Uuid, sa.ForeignKey("organization.id"), primary_key=True),
    C("scheme", sa.Text, primary_key=True),
    C("value", sa.Text, primary_key=True),
    C("meter", sa.Uuid, sa.ForeignKey("meter.id", ondelete="CASCADE"), primary_key=True, index=True),
    sa.Index("ix_meter_alias_value", "value"),
)
channel = _table(
    "channel",
    _serial(),
    _organization(),
    _ref("meter", "meter"),
    _ref("series", "series", index=True),
    C("created_at", Moment, nullable=False),
    sa.UniqueConstraint("meter", "series"),
)
reading = _table(
    "reading",
    C("channel", sa.BigInteger, primary_key=True, autoincrement=False),
    C("instant", Instant, primary_key=True),
    *_value(),
    sqlite_with_rowid=False,
    postgresql_partition_by="RANGE (instant)",
)
reading_revision = _table(
    "reading_revision",
    C("channel", sa.BigInteger, primary_key=True, autoincrement=False),
    C("instant", Instant, primary_key=True),
    C("number", sa.Integer, primary_key=True, autoincrement=False),
    *_value(),
    C("at", Moment, nullable=False),
    C("by", sa.Uuid),
    _text("reason"),
    sqlite_with_rowid=False,
)
latest = _table(
    "latest",
    C("channel", BigInt, primary_key=True, autoincrement=False),
    C("instant", Instant, nullable=False),
    *_value(),
)
staged = _table(
    "staged",
    _serial(),
    _organization(nullable=True),
    C("scope", sa.Text, nullable=False),
    C("meter", sa.Text, nullable=False, index=True),
    C("series", sa.Text, nullable=False),
    C("instant", Instant, nullable=False),
    C("digest", sa.LargeBinary, nullable=False),
    C("payload", sa.LargeBinary, nullable=False),
    C("reason", sa.Text, nullable=False),
    C("source", sa.SmallInteger, nullable=False),
    C("received", Moment, nullable=False),
    sa.UniqueConstraint("scope", "meter", "series", "instant", "digest"),
)
frame = _table(
    "frame",
    _serial(),
    C("uid", sa.Text, nullable=False, unique=True),
    _organization(nullable=True),
    C("entrance", sa.Text, nullable=False),
    C("peer", sa.Text, nullable=False),
    C("protocol", sa.Text, nullable=False),
    C("received", Moment, nullable=False, index=True),
    C("status", sa.Text, nullable=False),
    _text("reason", nullable=True),
    C("attempts", sa.Integer, nullable=False),
    _text("meter", nullable=True),
    C("meta", Json, nullable=False),
    C("compressed", sa.Boolean, nullable=False),
    C("payload", sa.LargeBinary, nullable=False),
    sa.Index("ix_frame_status_id", "status", "id"),
    sa.Index("ix_frame_status_meter", "status", "meter"),
)
outbox = _table(
    "outbox",
    _serial(),
    C("created_at", Moment, nullable=False),
    C("body", sa.LargeBinary, nullable=False),
)
lease = _table(
    "lease",
    C("name", sa.Text, primary_key=True),
    C("owner", sa.Text, nullable=False),
    C("fence", sa.BigInteger, nullable=False),
    C("taken", Moment, nullable=False),
    C("expires", Moment, nullable=False),
)
invocation_counter = _table(
    "invocation_counter",
    C("sender", sa.Text, primary_key=True),
    C("value", sa.BigInteger, primary_key=True, autoincrement=False),
    C("frame", BigInt, nullable=False),
    C("content", sa.LargeBinary),
    sa.Index("ix_invocation_counter_sender_frame", "sender", "frame"),
)
task = _table(
    "task",
    _id(),
    _organization(),
    C("name", sa.Text, nullable=False),
    _text("description"),
    _flag("is_active", default=True),
    _text("schedule", nullable=True),
    C("interval_s", sa.Integer),
    C("run_offset_s", sa.Integer, nullable=False),
    C("meter_execution_type", sa.Text, nullable=False),
    C("task_call", sa.Text, nullable=False),
    C("task_kwargs", Json, nullable=False),
    *_stamps(),
    sa.UniqueConstraint("organization", "name"),
)
task_meter = _table(
    "task_meter",
    C("task", sa.Uuid, sa.ForeignKey("task.id", ondelete="CASCADE"), primary_key=True),
    C("meter", sa.Uuid, sa.ForeignKey("meter.id", ondelete="CASCADE"), primary_key=True, index=True),
)
task_run = _table(
    "task_run",
    _serial(),
    _organization(),
    _ref("task", "task", nullable=True),
    _ref("meter", "meter", index=True),
    C("due", Instant, nullable=False),
    C("call", sa.Text, nullable=False),
    C("kwargs", Json, nullable=False),
    C("status", sa.Text, nullable=False),
    C("not_before", Moment, nullable=False),
    C("attempt", sa.Integer, nullable=False),
    _text("owner", nullable=True),
    C("lease_until", Moment),
    C("started", Moment),
    C("finished", Moment),
    _text("reason", nullable=True),
    C("result", Json),
    C("created_at", Moment, nullable=False),
    sa.UniqueConstraint("task", "meter", "due"),
    sa.Index("ix_task_run_status_not_before", "status", "not_before"),
)
secret = _table(
    "secret",
    _organization(),
    C("meter", sa.Uuid, sa.ForeignKey("meter.id", ondelete="CASCADE"), primary_key=True),
    C("kind", sa.Text, primary_key=True),
    C("version", sa.Integer, primary_key=True, autoincrement=False),
    C("state", sa.Text, nullable=False),
    C("sealed", sa.LargeBinary, nullable=False),
    C("created_at", Moment, nullable=False),
)
deletion = _table(
    "deletion",
    _serial(),
    _organization(),
    C("meter", sa.Uuid, nullable=False, index=True),
    C("series", sa.Uuid),
    C("start", Instant, nullable=False),
    C("stop", Instant, nullable=False),
    C("reason", sa.Text, nullable=False),
    C("by", sa.Uuid),
    C("at", Moment, nullable=False),
)
audit = _table(
    "audit",
    C("id", BigInt, primary_key=True, autoincrement=False),
    C("organization", sa.Uuid, index=True),
    C("at", Moment, nullable=False),
    C("actor", sa.Text, nullable=False),
    C("action", sa.Text, nullable=False),
    C("object", sa.Text, nullable=False),
    C("detail", sa.Text, nullable=False),
    C("hash", sa.LargeBinary, nullable=False),
)
event = _table(
    "event",
    _serial(),
    _organization(),
    _ref("meter", "meter"),
    C("instant", Instant, nullable=False),
    C("code", sa.Text, nullable=False),
    C("title", sa.Text, nullable=False),
    C("content", sa.Text, nullable=False),
    C("digest", sa.LargeBinary, nullable=False),
    C("frame", sa.BigInteger),
    C("created_at", Moment, nullable=False),
    sa.UniqueConstraint("meter", "instant", "code", "digest"),
)
