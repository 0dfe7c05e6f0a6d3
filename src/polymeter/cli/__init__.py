"""The command ``polymeter``. Results go to stdout, everything else to stderr.

Exit status: 0 done, 1 the work failed, 2 wrong use. Each command lives in a module of its own.
"""

from polymeter.cli.main import app, main

__all__ = ["app", "main"]
