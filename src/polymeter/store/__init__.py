"""The store: everything that rests, on SQLite or PostgreSQL, behind one face.

    store = await Store.open("sqlite:///polymeter.db", upgrade=True)
    organization = await store.write(organizations.create, "Stadtwerke")
    meter = await store.write(meters.create, organization.id, "FIOR78464920374", type=…)
    rows = await store.read(readings.page, organization.id, [channel], start=…, stop=…)
    await store.spool([Frame("iec62056-21", data, received, new_uid())])      # on disk when it returns

One module per noun; each is plain functions of a `Tx`, run by `Store.read` and `Store.write`:

* `organizations`, `users` (with memberships and tokens), `series`, `meter_types` (with configs), `meters`
  (with aliases and interfaces), `tasks`: `create get page change remove`;
* `channels`, `readings` (`page count latest revisions delete marks`), `merge` (ingest's way in), `staged`;
* `frames` (`waiting mark requeue page`), `outbox`, `leases` (`take renew release`),
  `task_runs` (`create claim renew finish fail defer`), `secrets`, `audit`, `events`.

The organization is the first argument of every tenant-owned query and has no default; `ANY` says "of all".
To do several things at once, write a function that takes a `Tx` and calls them: it is one transaction.
"""

from polymeter.store import (
    audit,
    channels,
    counters,
    events,
    frames,
    leases,
    meter_types,
    meters,
    organizations,
    outbox,
    readings,
    secrets,
    series,
    staged,
    task_runs,
    tasks,
    users,
)
from polymeter.store.connector import ANY, Everywhere, ReadingRow, Scope, Tx
from polymeter.store.errors import Conflict, InvalidSecret, SchemaOutdated, StoreError, StoreUnavailable
from polymeter.store.frames import Frame, FrameStatus, new_uid
from polymeter.store.leases import Lease
from polymeter.store.merge import Fate, merge
from polymeter.store.rows import Page
from polymeter.store.secrets import SecretKey
from polymeter.store.store import Store
from polymeter.store.task_runs import Run, RunStatus
from polymeter.store.tasks import Task

__all__ = [
    "ANY",
    "Conflict",
    "Everywhere",
    "Fate",
    "Frame",
    "FrameStatus",
    "InvalidSecret",
    "Lease",
    "Page",
    "ReadingRow",
    "Run",
    "RunStatus",
    "SchemaOutdated",
    "Scope",
    "SecretKey",
    "Store",
    "StoreError",
    "StoreUnavailable",
    "Task",
    "Tx",
    "audit",
    "channels",
    "counters",
    "events",
    "frames",
    "leases",
    "merge",
    "meter_types",
    "meters",
    "new_uid",
    "organizations",
    "outbox",
    "readings",
    "secrets",
    "series",
    "staged",
    "task_runs",
    "tasks",
    "users",
]
