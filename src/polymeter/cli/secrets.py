"""Secrets on the command line: given outright, from a file, from the environment, or asked for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

import typer

from polymeter.protocols.wire import LocalProtocolError

__all__ = ["secret", "with_secrets"]


def secret(given: str) -> str:
    """The secret that ``@FILE``, ``env:NAME`` or the text itself means.

    Raises:
        LocalProtocolError: the file or variable is not there.
    """
    if given.startswith("@"):
        try:
            return Path(given[1:]).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise LocalProtocolError(f"cannot read the secret from {given[1:]}: {error}") from error
    if given.startswith("env:"):
        value = os.environ.get(given[4:])
        if value is None:
            raise LocalProtocolError(f"the environment has no {given[4:]}")
        return value
    return given


def with_secrets(address: str, secrets: Iterable[str]) -> str:
    """An address with secrets added: ``NAME=@FILE``, ``NAME=env:VARIABLE``, or ``NAME`` to be asked."""
    for entry in secrets:
        name, given, source = entry.partition("=")
        value = secret(source) if given else typer.prompt(name, hide_input=True, err=True)
        address += f"{'&' if '?' in address else '?'}{quote(name)}={quote(value, safe='')}"
    return address
