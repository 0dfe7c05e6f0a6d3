"""The first schema: every table of the platform's bones."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from polymeter.store import types

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("organization", sa.Uuid(), nullable=True),
        sa.Column("at", types.Moment(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_organization", "audit", ["organization"], unique=False)
    op.create_table(
        "latest",
        sa.Column(
            "channel",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("instant", types.Instant(), nullable=False),
        sa.Column("mantissa", sa.BigInteger(), nullable=True),
        sa.Column("exponent", sa.SmallInteger(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("quality", sa.Integer(), nullable=False),
        sa.Column("source", sa.SmallInteger(), nullable=False),
        sa.Column("received", types.Instant(), nullable=False),
        sa.Column("frame", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("channel", name="pk_latest"),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("taken", types.Moment(), nullable=False),
        sa.Column("expires", types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_lease"),
    )
    op.create_table(
        "organization",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("updated_at", types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_organization"),
        sa.UniqueConstraint("name", name="uq_organization_name"),
    )
    op.create_table(
        "outbox",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
    )
    op.create_table(
        "reading",
        sa.Column("channel", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("instant", types.Instant(), nullable=False),
        sa.Column("mantissa", sa.BigInteger(), nullable=True),
        sa.Column("exponent", sa.SmallInteger(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("quality", sa.Integer(), nullable=False),
        sa.Column("source", sa.SmallInteger(), nullable=False),
        sa.Column("received", types.Instant(), nullable=False),
        sa.Column("frame", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("channel", "instant", name="pk_reading"),
        postgresql_partition_by="RANGE (instant)",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "reading_revision",
        sa.Column("channel", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("instant", types.Instant(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("mantissa", sa.BigInteger(), nullable=True),
        sa.Column("exponent", sa.SmallInteger(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("quality", sa.Integer(), nullable=False),
        sa.Column("source", sa.SmallInteger(), nullable=False),
        sa.Column("received", types.Instant(), nullable=False),
        sa.Column("frame", sa.BigInteger(), nullable=True),
        sa.Column("at", types.Moment(), nullable=False),
        sa.Column("by", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "instant", "number", name="pk_reading_revision"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "user",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("is_staff", sa.Boolean(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("updated_at", types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_user"),
        sa.UniqueConstraint("name", name="uq_user_name"),
    )
    op.create_table(
        "deletion",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("organization", sa.Uuid(), nullable=False),
        sa.Column("meter", sa.Uuid(), nullable=False),
        sa.Column("series", sa.Uuid(), nullable=True),
        sa.Column("start", types.Instant(), nullable=False),
        sa.Column("stop", types.Instant(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Uuid(), nullable=True),
        sa.Column("at", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["organization"], ["organization.id"], name="fk_deletion_organization"),
        sa.PrimaryKeyConstraint("id", name="pk_deletion"),
    )
    op.create_index("ix_deletion_meter", "deletion", ["meter"], unique=False)
    op.create_table(
        "frame",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("organization", sa.Uuid(), nullable=True),
        sa.Column("entrance", sa.Text(), nullable=False),
        sa.Column("peer", sa.Text(), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("received", types.Moment(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=True),
        sa.Column(
            "meta",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("compressed", sa.Boolean(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["organization"], ["organization.id"], name="fk_frame_organization"),
        sa.PrimaryKeyConstraint("id", name="pk_frame"),
        sa.UniqueConstraint("uid", name="uq_frame_uid"),
    )
    op.create_index("ix_frame_received", "frame", ["received"], unique=False)
    op.create_index("ix_frame_status_id", "frame", ["status", "id"], unique=False)
    op.create_table(
        "membership",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("organization", sa.Uuid(), nullable=False),
        sa.Column("user", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("updated_at", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["organization"], ["organization.id"], name="fk_membership_organization"),
        sa.ForeignKeyConstraint(["user"], ["user.id"], name="fk_membership_user"),
        sa.PrimaryKeyConstraint("id", name="pk_membership"),
        sa.UniqueConstraint("organization", "user", name="uq_membership_organization_user"),
    )
    op.create_table(
        "meter_config",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("updated_at", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["organization"], ["organization.id"], name="fk_meter_config_organization"),
        sa.PrimaryKeyConstraint("id", name="pk_meter_config"),
        sa.UniqueConstraint("organization", "name", name="uq_meter_config_organization_name"),
    )
    op.create_table(
        "network_interface",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("static_ip_address", sa.Text(), nullable=True),
        sa.Column("fqdn", sa.Text(), nullable=True),
        sa.Column("port", sa.Integer(), nullable=True),
        sa.Column("can_block", sa.Boolean(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("updated_at", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization"], ["organization.id"], name="fk_network_interface_organization"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_network_interface"),
    )
    op.create_table(
        "series",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("unit_description", sa.Text(), nullable=True),
        sa.Column("si_multiplier", sa.Text(), nullable=False),
        sa.Column("affected_by_ct_ratio", sa.Boolean(), nullable=False),
        sa.Column("affected_by_vt_ratio", sa.Boolean(), nullable=False),
        sa.Column("property_id", sa.Text(), nullable=True),
        sa.Column("period", sa.Text(), nullable=True),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("updated_at", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["organization"], ["organization.id"], name="fk_series_organization"),
        sa.PrimaryKeyConstraint("id", name="pk_series"),
        sa.UniqueConstraint("organization", "key", name="uq_series_organization_key"),
    )
    op.create_table(
        "staged",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("organization", sa.Uuid(), nullable=True),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("instant", types.Instant(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("source", sa.SmallInteger(), nullable=False),
        sa.Column("received", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["organization"], ["organization.id"], name="fk_staged_organization"),
        sa.PrimaryKeyConstraint("id", name="pk_staged"),
        sa.UniqueConstraint(
            "scope",
            "meter",
            "series",
            "instant",
            "digest",
            name="uq_staged_scope_meter_series_instant_digest",
        ),
    )
    op.create_index("ix_staged_meter", "staged", ["meter"], unique=False)
    op.create_table(
        "task",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("schedule", sa.Text(), nullable=True),
        sa.Column("interval_s", sa.Integer(), nullable=True),
        sa.Column("run_offset_s", sa.Integer(), nullable=False),
        sa.Column("meter_execution_type", sa.Text(), nullable=False),
        sa.Column("task_call", sa.Text(), nullable=False),
        sa.Column(
            "task_kwargs",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("updated_at", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["organization"], ["organization.id"], name="fk_task_organization"),
        sa.PrimaryKeyConstraint("id", name="pk_task"),
        sa.UniqueConstraint("organization", "name", name="uq_task_organization_name"),
    )
    op.create_table(
        "token",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("organization", sa.Uuid(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column(
            "scopes",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("user", sa.Uuid(), nullable=True),
        sa.Column("expires", types.Moment(), nullable=True),
        sa.Column("revoked", types.Moment(), nullable=True),
        sa.Column("last_used", types.Moment(), nullable=True),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("updated_at", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["organization"], ["organization.id"], name="fk_token_organization"),
        sa.ForeignKeyConstraint(["user"], ["user.id"], name="fk_token_user"),
        sa.PrimaryKeyConstraint("id", name="pk_token"),
        sa.UniqueConstraint("digest", name="uq_token_digest"),
    )
    op.create_table(
        "meter_config_series",
        sa.Column("config", sa.Uuid(), nullable=False),
        sa.Column("series", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["config"], ["meter_config.id"], name="fk_meter_config_series_config", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["series"], ["series.id"], name="fk_meter_config_series_series"),
        sa.PrimaryKeyConstraint("config", "series", name="pk_meter_config_series"),
    )
    op.create_index("ix_meter_config_series_series", "meter_config_series", ["series"], unique=False)
    op.create_table(
        "meter_type",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("manufacturer", sa.Text(), nullable=False),
        sa.Column("manufacturer_model", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("config", sa.Uuid(), nullable=True),
        sa.Column("catalogue", sa.Text(), nullable=True),
        sa.Column("meter_class", sa.Text(), nullable=True),
        sa.Column("is_virtual", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("updated_at", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["config"], ["meter_config.id"], name="fk_meter_type_config"),
        sa.ForeignKeyConstraint(["organization"], ["organization.id"], name="fk_meter_type_organization"),
        sa.PrimaryKeyConstraint("id", name="pk_meter_type"),
        sa.UniqueConstraint("organization", "name", name="uq_meter_type_organization_name"),
    )
    op.create_index("ix_meter_type_config", "meter_type", ["config"], unique=False)
    op.create_table(
        "meter",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("type", sa.Uuid(), nullable=True),
        sa.Column("network_interface", sa.Uuid(), nullable=True),
        sa.Column("external_system_reference", sa.Text(), nullable=True),
        sa.Column("manufacturer_serial", sa.Text(), nullable=True),
        sa.Column("iec62056_21_address", sa.Text(), nullable=True),
        sa.Column("dlms_logical_device_name", sa.Text(), nullable=True),
        sa.Column("dlms_system_title", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("has_current_transformer", sa.Boolean(), nullable=False),
        sa.Column("current_transformer_ratio", sa.Integer(), nullable=False),
        sa.Column("has_voltage_transformer", sa.Boolean(), nullable=False),
        sa.Column("voltage_transformer_ratio", sa.Integer(), nullable=False),
        sa.Column("has_disconnector", sa.Boolean(), nullable=False),
        sa.Column("disconnector_status", sa.SmallInteger(), nullable=True),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("updated_at", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["network_interface"], ["network_interface.id"], name="fk_meter_network_interface"
        ),
        sa.ForeignKeyConstraint(["organization"], ["organization.id"], name="fk_meter_organization"),
        sa.ForeignKeyConstraint(["type"], ["meter_type.id"], name="fk_meter_type"),
        sa.PrimaryKeyConstraint("id", name="pk_meter"),
        sa.UniqueConstraint("organization", "name", name="uq_meter_organization_name"),
    )
    op.create_index("ix_meter_network_interface", "meter", ["network_interface"], unique=False)
    op.create_index("ix_meter_type", "meter", ["type"], unique=False)
    op.create_table(
        "channel",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("organization", sa.Uuid(), nullable=False),
        sa.Column("meter", sa.Uuid(), nullable=False),
        sa.Column("series", sa.Uuid(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["meter"], ["meter.id"], name="fk_channel_meter"),
        sa.ForeignKeyConstraint(["organization"], ["organization.id"], name="fk_channel_organization"),
        sa.ForeignKeyConstraint(["series"], ["series.id"], name="fk_channel_series"),
        sa.PrimaryKeyConstraint("id", name="pk_channel"),
        sa.UniqueConstraint("meter", "series", name="uq_channel_meter_series"),
    )
    op.create_index("ix_channel_series", "channel", ["series"], unique=False)
    op.create_table(
        "event",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("organization", sa.Uuid(), nullable=False),
        sa.Column("meter", sa.Uuid(), nullable=False),
        sa.Column("instant", types.Instant(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("frame", sa.BigInteger(), nullable=True),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["meter"], ["meter.id"], name="fk_event_meter"),
        sa.ForeignKeyConstraint(["organization"], ["organization.id"], name="fk_event_organization"),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
        sa.UniqueConstraint("meter", "instant", "code", "digest", name="uq_event_meter_instant_code_digest"),
    )
    op.create_table(
        "meter_alias",
        sa.Column("organization", sa.Uuid(), nullable=False),
        sa.Column("scheme", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("meter", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["meter"], ["meter.id"], name="fk_meter_alias_meter", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["organization"], ["organization.id"], name="fk_meter_alias_organization"),
        sa.PrimaryKeyConstraint("organization", "scheme", "value", "meter", name="pk_meter_alias"),
    )
    op.create_index("ix_meter_alias_meter", "meter_alias", ["meter"], unique=False)
    op.create_index("ix_meter_alias_value", "meter_alias", ["value"], unique=False)
    op.create_table(
        "secret",
        sa.Column("organization", sa.Uuid(), nullable=False),
        sa.Column("meter", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["meter"], ["meter.id"], name="fk_secret_meter", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["organization"], ["organization.id"], name="fk_secret_organization"),
        sa.PrimaryKeyConstraint("meter", "kind", "version", name="pk_secret"),
    )
    op.create_table(
        "task_meter",
        sa.Column("task", sa.Uuid(), nullable=False),
        sa.Column("meter", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["meter"], ["meter.id"], name="fk_task_meter_meter", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["task"], ["task.id"], name="fk_task_meter_task", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task", "meter", name="pk_task_meter"),
    )
    op.create_index("ix_task_meter_meter", "task_meter", ["meter"], unique=False)
    op.create_table(
        "task_run",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("organization", sa.Uuid(), nullable=False),
        sa.Column("task", sa.Uuid(), nullable=True),
        sa.Column("meter", sa.Uuid(), nullable=False),
        sa.Column("due", types.Instant(), nullable=False),
        sa.Column("call", sa.Text(), nullable=False),
        sa.Column(
            "kwargs",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("not_before", types.Moment(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_until", types.Moment(), nullable=True),
        sa.Column("started", types.Moment(), nullable=True),
        sa.Column("finished", types.Moment(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column(
            "result",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=True,
        ),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["meter"], ["meter.id"], name="fk_task_run_meter"),
        sa.ForeignKeyConstraint(["organization"], ["organization.id"], name="fk_task_run_organization"),
        sa.ForeignKeyConstraint(["task"], ["task.id"], name="fk_task_run_task"),
        sa.PrimaryKeyConstraint("id", name="pk_task_run"),
        sa.UniqueConstraint("task", "meter", "due", name="uq_task_run_task_meter_due"),
    )
    op.create_index("ix_task_run_meter", "task_run", ["meter"], unique=False)
    op.create_index("ix_task_run_status_not_before", "task_run", ["status", "not_before"], unique=False)
