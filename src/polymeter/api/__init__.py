"""The HTTP interface: compatible with Utilitarian's under `/v1/metering`, `/v1/auth` and `/v1/organizations`.

`create(services)` gives the application, complete with problem documents, bounds and headers; `ui.mount` adds
the pages to the same one. `route_table(application)` lists every route with the permission it needs, from
which the reference page and the tests are made. One module per resource; `routing` and `resource` hold what
they share. The application takes its services as they are and closes none of them.
"""

from polymeter.api.application import create
from polymeter.api.routing import PUBLIC, Route, RouteInfo, needs, route_table

__all__ = ["PUBLIC", "Route", "RouteInfo", "create", "needs", "route_table"]
