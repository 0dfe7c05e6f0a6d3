"""What tells a message that is heard again from a replayed one, and a way to find who is waited for."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("invocation_counter", sa.Column("content", sa.LargeBinary(), nullable=True))
    op.create_index("ix_frame_status_meter", "frame", ["status", "meter"], unique=False)
