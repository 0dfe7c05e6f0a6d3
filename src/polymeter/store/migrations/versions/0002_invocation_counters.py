"""The invocation counters of ciphered messages, so that none is accepted twice."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "invocation_counter",
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("frame", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("sender", "value", name="pk_invocation_counter"),
    )
    op.create_index(
        "ix_invocation_counter_sender_frame", "invocation_counter", ["sender", "frame"], unique=False
    )
