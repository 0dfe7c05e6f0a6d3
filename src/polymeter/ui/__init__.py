"""The web pages: server-rendered, usable without a script, live where there is one.

`mount(app, services)` adds them to the application that `api.create` gave: the login, the fleet under `/`, a
page per meter, and their files under `/static`. Nothing is loaded from anywhere else.
"""

from polymeter.ui.pages import mount

__all__ = ["mount"]
