"""What `api`, `omdp` and `ui` share: who may see what, how errors and pages of results look, what is asked.

How `app.py` puts it together:

    services = Services.build(
        store, bus, settings, clock, secret_key=text, ingest=ingest, checks={"broker": ping}
    )
    application = api.create(services)          # a FastAPI, ready for uvicorn
    ui.mount(application, services)             # pages under /, optional
    …
    await services.close()                      # before the server stops: it ends the event streams

`secret_key` is the text of `SECRET_KEY` (or the one made in `DATA_DIR`): login tokens are signed with a key
derived from it unless `JWT_SIGNING_KEY` is set. `ingest` may be left out where no ingest role runs in the
process: one of our own is then used to store single readings and to release staged ones; it is not running.
`checks` are asked by `/health/ready` besides the store. An event stream is an answer without an end, so a
server that waits for its open answers waits for `close`.

`accounts` makes organizations, users and tokens; the command line calls it too.
"""

from polymeter.services.access import Access, Permission
from polymeter.services.problems import Problem
from polymeter.services.services import Services

__all__ = ["Access", "Permission", "Problem", "Services"]
