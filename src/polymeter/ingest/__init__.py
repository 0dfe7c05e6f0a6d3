"""Ingest: the one way into the store.

    ingest = Ingest(store, bus, clock)
    outcomes = await ingest.commit(messages, Entrance("receiver", organization.id, Source.PUSH), frame=uid)
    await ingest.release_staged(organization.id, ["FIOR78464920374"])      # after a meter was created
    await ingest.run()                                                     # the role: bus, outbox, sweep

`commit` finds the channel of every reading (creating it where the meter's configuration allows the series),
converts the unit exactly, settles repeated and contradicting values, and answers per reading: `STORED`,
`UNCHANGED`, `REVISED`, `STAGED` with a reason, `REFUSED` with a reason. On return everything not refused is
on disk. What was stored is published on `polymeter.stored` after the commit, through the outbox.
"""

from polymeter.ingest.ingest import Ingest
from polymeter.ingest.outcome import Entrance, Outcome, Status
from polymeter.ingest.relay import Relay

__all__ = ["Entrance", "Ingest", "Outcome", "Relay", "Status"]
