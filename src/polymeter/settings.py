"""Settings: environment `POLYMETER_*` over a TOML file over defaults, and every one of them in one table.

The table is the `Settings` class itself: name, type, default, description, other names it is accepted by. The
reference page is checked against it. A key that is not in it is refused, with the nearest that is: a misspelt
retention time must not quietly mean "for ever".
"""
# ruff: noqa: RUF009 -- _setting only makes a dataclass field

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

__all__ = ["InvalidSettings", "Setting", "Settings", "reference", "table"]

PREFIX: Final = "POLYMETER_"
_NOT_SETTINGS: Final = re.compile(r"POLYMETER_(TEST_.*|VECTORS|BENCH_.*|CONFIG)")
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off", ""})


class InvalidSettings(ValueError):
    """A setting is unknown or has a value it cannot have; the text names it and where it was found."""


def _setting(default: Any, description: str, *also: str, secret: bool = False) -> Any:
    meta = {"description": description, "also": also, "secret": secret}
    return field(default=default, repr=not secret, metadata=meta)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of the platform. Secrets are never in the repr."""

    data_dir: Path = _setting(Path("data"), "Folder for the SQLite database, spool and generated keys.")
    database_url: str | None = _setting(
        None,
        "`postgresql://…` or `sqlite:///file`; without it, SQLite in `DATA_DIR`.",
        "DATABASE_URL",
        secret=True,
    )
    amqp_url: str | None = _setting(
        None,
        "`amqp://…` of RabbitMQ; without it, the bus is inside the process.",
        "AMQP_CONNECTION_STRING",
        secret=True,
    )
    amqp_exchange: str = _setting(
        "polymeter",
        "Incoming topic exchange; `utilitarian` for a drop-in.",
        "AMQP_EXCHANGE_NAME",
    )
    amqp_publish_to: str = _setting(
        "polymeter.stored", "Outgoing topic exchange: what was committed.", "AMQP_PUBLISH_TO"
    )
    amqp_prefetch: int = _setting(500, "Messages a consumer holds unacknowledged.")
    mqtt_url: str | None = _setting(
        None,
        "`mqtt://USER:PASSWORD@HOST:PORT` or `mqtts://…` of the broker that receivers go to which name none.",
        secret=True,
    )
    listen: str = _setting("127.0.0.1:8000", "Host and port of the web pages and the HTTP interface.")
    secret_key: str | None = _setting(
        None,
        "Key-encryption key that seals stored secrets. Without it one is made in `DATA_DIR`.",
        "SECRET_KEY",
        secret=True,
    )
    public_decode: bool = _setting(False, "Whether `POST /v1/decode` works without a login.")
    catalogue_path: tuple[Path, ...] = _setting((), "Folders with further meter types and Modbus templates.")
    log_level: str = _setting("info", "`debug`, `info`, `warning` or `error`.", "UTILITARIAN_LOGLEVEL")
    log_json: bool = _setting(False, "Whether log lines are JSON objects.")
    data_retention_days: int | None = _setting(
        None, "Days that readings and events are kept; without it, for ever.", "DATA_RETENTION_DAYS"
    )
    staged_data_retention_days: int | None = _setting(
        None,
        "Days that staged readings are kept; without it, until released.",
        "STAGED_DATA_RETENTION_DAYS",
    )
    frame_retention_days: int | None = _setting(
        None, "Days that received frames are kept; without it, for ever."
    )
    default_meter_timezone: str = _setting(
        "UTC", "Zone of meters whose configuration names none.", "DEFAULT_METER_TIMEZONE"
    )
    clock_tolerance_s: int = _setting(900, "How far in the future a reading may lie before it is marked.")
    jwt_signing_key: str | None = _setting(
        None,
        "Key that signs login tokens; changing it ends every session.",
        "JWT_SIGNING_KEY",
        secret=True,
    )
    jwt_expiration_s: int = _setting(1200, "Lifetime of a login token.", "JWT_EXPIRATION_TIME_SECONDS")
    allow_token_auth: bool = _setting(True, "Whether service tokens are accepted.", "ALLOW_TOKEN_AUTH")
    allowed_hosts: tuple[str, ...] = _setting(
        (), "Host names the HTTP interface answers to; empty for all.", "ALLOWED_HOSTS"
    )
    cors_whitelist: tuple[str, ...] = _setting(
        (), "Origins that browsers may call the HTTP interface from.", "CORS_WHITELIST"
    )
    body_limit_bytes: int = _setting(16 * 1024 * 1024, "Largest HTTP body that is read.")
    receivers: tuple[str, ...] = _setting(
        (),
        "Where to take pushed frames: `iec62056-21://HOST:PORT?organization=NAME`, `dlms+udp://HOST:PORT`,"
        " `wmbus+mqtt://HOST/TOPIC`, `wmbus+serial:///dev/ttyUSB0`.",
    )
    plain_pushes: bool = _setting(
        False, "Whether pushed frames that are not encrypted are taken from meters that have a key for them."
    )
    worker_concurrency: int = _setting(100, "Meters that one worker calls at once.")
    tls_cert: Path | None = _setting(None, "Certificate chain (PEM) to serve HTTPS with.")
    tls_key: Path | None = _setting(None, "Private key (PEM) of that certificate.")

    @classmethod
    def load(
        cls,
        environ: Mapping[str, str],
        config: Path | None = None,
        **overrides: Any,
    ) -> Settings:
        """Read the settings.

        Args:
            environ: the environment, `os.environ` in service.
            config: a TOML file whose keys are the lower-case names; `POLYMETER_CONFIG` names one too.
            overrides: values from the command line; None means not given.

        Raises:
            InvalidSettings: a key is unknown or a value does not fit.
        """
        values: dict[str, Any] = {}
        config = config or (Path(environ["POLYMETER_CONFIG"]) if environ.get("POLYMETER_CONFIG") else None)
        if config is not None:
            values |= _from_file(config)
        values |= _from_environment(environ)
        values |= {_known(name, "on the command line"): v for name, v in overrides.items() if v is not None}
        return cls(**values)

    @property
    def database(self) -> str:
        """The database's URL, with the default applied."""
        return self.database_url or f"sqlite:///{self.data_dir / 'polymeter.db'}"


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table of settings."""

    name: str
    type: str
    default: object
    description: str
    also: tuple[str, ...]
    secret: bool

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return PREFIX + self.name.upper()


def table() -> tuple[Setting, ...]:
    """Every setting, in the order of the class."""
    return tuple(
        Setting(
            item.name,
            str(item.type),
            item.default,
            item.metadata["description"],
            item.metadata["also"],
            item.metadata["secret"],
        )
        for item in dataclasses.fields(Settings)
    )


def reference() -> str:
    """`docs/reference/settings.md`, made of the table."""
    lines = [
        "# Settings",
        "",
        "Generated from `polymeter.settings`; do not edit by hand.",
        "",
        "Each is an environment variable and a key of the TOML file (`--config FILE`; in lower case, without",
        "`POLYMETER_`). The environment goes before the file, the file before the default. With `_FILE` at",
        "the end of its name the value is read from a file: the best way to give secrets. An unknown key is",
        "refused.",
        "",
        "| variable | default | meaning | also accepted |",
        "|---|---|---|---|",
    ]
    for setting in table():
        default = str(setting.default).lower() if isinstance(setting.default, bool) else setting.default
        shown = "" if default in (None, ()) else f"`{default}`"
        also = ", ".join(f"`{name}`" for name in setting.also)
        lines.append(f"| `{setting.variable}` | {shown} | {setting.description} | {also} |")
    return "\n".join(lines) + "\n"


_BY_NAME: Final = {setting.name: setting for setting in table()}


def _known(name: str, where: str) -> str:
    if name not in _BY_NAME:
        near = difflib.get_close_matches(name, _BY_NAME, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InvalidSettings(f"unknown setting {name} {where}{hint}")
    return name


def _from_file(path: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text())
    except OSError as error:
        raise InvalidSettings(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{path} is not TOML: {error}") from error
    values: dict[str, Any] = {}
    for key, value in content.items():
        if key.endswith("_file") and key not in _BY_NAME:
            name = _known(key.removesuffix("_file"), f"in {path}")
            values[name] = _value(name, _secret_file(key, str(value)), f"in {value}")
        else:
            values[key] = _value(_known(key, f"in {path}"), value, f"in {path}")
    return values


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for setting in _BY_NAME.values():
        # Our own name is looked at last and so wins over the one known from Utilitarian.
        for variable in (*setting.also, setting.variable):
            if environ.get(variable + "_FILE"):
                text = _secret_file(variable + "_FILE", environ[variable + "_FILE"])
                values[setting.name] = _value(setting.name, text, f"in the file {variable}_FILE names")
            if variable in environ:
                values[setting.name] = _value(setting.name, environ[variable], f"in {variable}")
    for variable in environ:
        if variable.startswith(PREFIX) and _NOT_SETTINGS.fullmatch(variable) is None:
            name = variable.removeprefix(PREFIX).lower()
            _known(name if name in _BY_NAME else name.removesuffix("_file"), f"in {variable}")
    return values


def _secret_file(variable: str, path: str) -> str:
    try:
        return Path(path).read_text().rstrip("\r\n")
    except OSError as error:
        raise InvalidSettings(f"{variable}: cannot read {path}: {error.strerror}") from error


def _value(name: str, value: Any, where: str) -> Any:
    kind = _BY_NAME[name].type
    try:
        if kind.endswith("| None") and value in ("", None):
            return None
        if kind.startswith("tuple"):
            items = [item.strip() for item in value.split(",")] if isinstance(value, str) else list(value)
            return tuple(Path(item) if "Path" in kind else str(item) for item in items if item)
        if kind.startswith("bool"):
            return value if isinstance(value, bool) else _truth(str(value))
        if kind.startswith("int"):
            return int(value)
        return Path(value) if kind.startswith("Path") else str(value)
    except (ValueError, TypeError) as error:
        # The value is not repeated: it may be a secret put under the wrong name.
        raise InvalidSettings(f"{name} {where} is not a value of type {kind}") from error


def _truth(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError(text)
