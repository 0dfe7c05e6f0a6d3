"""How meters' data comes in: pushed to receivers, or fetched by workers when tasks are due.

`receivers` spool what is pushed before they answer; the `processor` reads spooled frames into
readings; the `scheduler` turns tasks into runs; `workers` take runs and call meters. All of them
end at the bus: what they publish is committed by `polymeter.ingest`.
"""

from polymeter.collection.processor import Processor
from polymeter.collection.receivers import Receiver, ReceiverAddress
from polymeter.collection.scheduler import Scheduler, latest_due
from polymeter.collection.workers import Worker

__all__ = ["Processor", "Receiver", "ReceiverAddress", "Scheduler", "Worker", "latest_due"]
