"""What tells a message that is heard again from a replayed one, and ways to the frames of a meter."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("invocation_counter", sa.Column("content", sa.LargeBinary(), nullable=True))
    op.create_index("ix_frame_status_meter", "frame", ["status", "meter"], unique=False)
    op.create_index("ix_frame_meter_id", "frame", ["meter", "id"], unique=False)
