#!/usr/bin/env python3
"""The one door: ``python3 dev.py`` lists the tasks, ``python3 dev.py TASK`` runs one.

Needs nothing but Python 3.11 and its standard library. A task's first use makes ``.venv`` and installs
the project there; the task then runs inside it. What is long lives in ``tools/``.
"""

import os
import signal
import sys

# name: (what it does, the extra it needs, the command inside the venv)
TASKS = {
    "demo": ("run the platform with a simulated fleet and print its address", "platform", "polymeter demo"),
    "test": ("run every test against real services [pytest args] [--no-services]", "test", "tools.testing"),
    "check": ("format, lint, types, import contracts, docs drift", "test", "tools.check"),
    "bench": ("benchmarks side by side with their peers [NAME...] [--json]", "test", "tools.bench"),
    "fuzz": ("mutated inputs against the decoders [DECODER...] [--n N] [--seed N]", "test", "tools.fuzz"),
    "chaos": ("fault rounds against the running platform NAME [--seed N]", "test", "tools.chaos"),
}


def usage() -> str:
    """The list of tasks, one line each."""
    lines = [f"  {name:<6} {summary}" for name, (summary, _, _) in TASKS.items()]
    return "\n".join(["usage: python3 dev.py TASK [arguments]", "", *lines])


def main(argv: list[str]) -> int:
    """Prepare the environment of the task and become its process."""
    if sys.version_info < (3, 11):  # noqa: UP036 -- this is the place that says so to an old Python
        print(f"dev: polymeter needs Python 3.11 or newer, this is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    if not argv or argv[0] in ("-h", "--help"):
        print(usage())
        return 0
    name, *arguments = argv
    if name not in TASKS:
        print(f"dev: no task {name!r}\n{usage()}", file=sys.stderr)
        return 2

    from tools import environment

    _, extra, command = TASKS[name]
    try:
        environment.ensure(extra)
        environment.become(command, arguments)
    except environment.SetupError as error:
        print(f"dev: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("dev: interrupted", file=sys.stderr)
        sys.stderr.flush()
        os._exit(130)
