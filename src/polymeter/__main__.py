"""``python -m polymeter`` is the command ``polymeter``."""

from polymeter.cli import main

main()
