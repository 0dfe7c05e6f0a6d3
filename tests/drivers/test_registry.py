"""Drivers announce themselves, ours by a line and others' by an entry point; wrong ones are named."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from polymeter.drivers import Driver, call, connect, driver_named, drivers, writing_call
from polymeter.drivers.driver import argument_value
from polymeter.drivers.faces import driver_for
from polymeter.protocols.procedure import Procedure
from polymeter.protocols.wire import LocalProtocolError, Value
from polymeter.transports import loopback
from polymeter.transports.urls import LINE_PARAMETERS

SOURCE = '''
from polymeter.catalogue import TelegramReading
from polymeter.drivers import Driver, call, writing_call
from polymeter.protocols.procedure import Receive, Send

class Parrot(Driver):
    scheme = "parrot"
    description = "repeats what it hears"
    default_port = 7
    parameters = {"accent": "how it speaks"}

    def read(self, *objects):
        """Read what it repeats."""
        yield Send("".join(objects).encode())
        heard = yield Receive(1)
        return [TelegramReading("echo", heard)]

    @call
    def whistle(self, tune: str, times: int = 1, slowly: bool | None = None):
        """Whistle a tune."""
        yield from ()
        return [tune] * times

    @writing_call
    def teach(self, word: str):
        """Teach it a word."""
        yield from ()

class NoScheme(Driver):
    pass

class Cat:
    pass
'''
POINTS = """[polymeter.drivers]
parrot = parrots:Parrot
broken = no_such_module:Parrot
cat = parrots:Cat
unnamed = parrots:NoScheme
iec62056-21 = parrots:Parrot
"""


@pytest.fixture
def parrots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A distribution of somebody else's, installed."""
    info = tmp_path / "parrots-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: parrots\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    (tmp_path / "parrots.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    driver_named.cache_clear()
    yield
    driver_named.cache_clear()


@pytest.mark.usefixtures("parrots")
def test_somebody_elses_driver_is_found_and_used() -> None:
    assert "iec62056-21" in drivers()
    assert "parrot" in drivers()
    near, far = loopback.blocking_pair()
    far.send(b"hello")
    with connect("parrot://anywhere?accent=none", line=near) as meter:
        assert meter.read("hello")[0].value == b"hello"
        assert meter.call("whistle", "a tune", times=2) == ["a tune"] * 2
    assert driver_for("parrot://anywhere").url.port == 7


@pytest.mark.usefixtures("parrots")
def test_somebody_elses_calls_are_listed() -> None:
    calls = driver_named("parrot").calls()
    assert list(calls) == ["read", "teach", "whistle"]
    assert calls["whistle"].parameters == {"tune": str, "times": int, "slowly": bool}
    assert calls["whistle"].description == "Whistle a tune."
    assert [name for name, known in calls.items() if known.writes] == ["teach"]


@pytest.mark.usefixtures("parrots")
def test_ours_cannot_be_replaced() -> None:
    assert driver_named("iec62056-21").__module__ == "polymeter.drivers.iec62056_21"


@pytest.mark.usefixtures("parrots")
@pytest.mark.parametrize(
    ("scheme", "said"),
    [
        ("broken", "the driver 'broken' of no_such_module:Parrot does not load"),
        ("cat", "which is no Driver"),
        ("unnamed", "must have scheme = 'unnamed'"),
        ("dog", r"there is no driver 'dog'; there are .*iec62056-21.*, parrot"),
    ],
)
def test_a_driver_that_is_none_is_told(scheme: str, said: str) -> None:
    with pytest.raises(LocalProtocolError, match=said):
        driver_named(scheme)


# every driver


@pytest.mark.parametrize("scheme", drivers())
def test_every_driver_describes_itself(scheme: str) -> None:
    family = driver_named(scheme)
    assert family.scheme == scheme
    assert family.description
    assert all(family.parameters.values())
    assert not set(family.parameters) & set(LINE_PARAMETERS) - {"timeout"}
    calls = family.calls()
    assert "read" in calls
    assert all(known.description.endswith(".") for known in calls.values())


@pytest.mark.parametrize("scheme", drivers())
def test_every_driver_refuses_an_unknown_parameter(scheme: str) -> None:
    with pytest.raises(LocalProtocolError, match="has no parameter 'nonsense'"):
        driver_for(f"{scheme}://h:1?nonsense=1")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("iec62056-21://h", "no default port"),
        ("iec62056-21://h:1/7", "has no path"),
        ("iec62056-21://h:1?access=magic", "access must be one of"),
        ("iec62056-21://h:1?speed=9", "speed must be one of"),
        ("iec62056-21://h:1?answer_timeout=soon", "must be a number"),
        ("iec62056-21+serial:///dev/x?baud=nan", "parameter baud must be"),
        ("iec62056-21+serial:///dev/x?parity=Q", "parity must be one of"),
        ("iec62056-21://h:1?type=nonsense", "no iec62056-21 meter type 'nonsense'"),
        ("h:1?password=hunter2", "is no address"),
        ("morse://h:1?password=hunter2", "no driver 'morse'"),
    ],
)
def test_what_is_wrong_with_an_address_is_told_before_anything_is_opened(address: str, said: str) -> None:
    with pytest.raises(LocalProtocolError, match=said) as caught:
        driver_for(address)
    assert "hunter2" not in str(caught.value)


def test_a_named_type_fills_in_parameters() -> None:
    driver = driver_for("IEC62056-21://h:1?type=iskraemeco-mt174")
    assert driver.meter_type is not None
    assert driver.meter_type.name == "iskraemeco-mt174"


def test_a_type_cannot_bring_a_parameter_that_the_driver_lacks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from polymeter.catalogue import meter_types

    (tmp_path / "odd.toml").write_text(
        'protocol = "iec62056-21"\nmanufacturer = "x"\n[driver]\nnonsense = 1\n'
    )
    monkeypatch.setenv("POLYMETER_CATALOGUE_PATH", str(tmp_path))
    meter_types.cache_clear()
    try:
        with pytest.raises(LocalProtocolError, match="no parameter 'nonsense'"):
            driver_for("iec62056-21://h:1?type=odd")
    finally:
        monkeypatch.undo()
        meter_types.cache_clear()


@pytest.mark.parametrize(
    ("text", "wanted", "value"),
    [
        ("2026-01-31T10:00", datetime, datetime(2026, 1, 31, 10)),
        ("true", bool, True),
        ("No", bool, False),
        ("0x10", int, 16),
        ("1.50", Decimal, Decimal("1.50")),
        ("00ff", bytes, b"\x00\xff"),
        ("00ff", str, "00ff"),
    ],
)
def test_arguments_are_read_as_what_the_call_wants(text: str, wanted: type, value: Value) -> None:
    assert argument_value(text, wanted) == value


@pytest.mark.parametrize(
    ("text", "wanted"), [("x", datetime), ("x", bool), ("x", int), ("x", Decimal), ("x", bytes)]
)
def test_an_argument_that_is_none_is_told(text: str, wanted: type) -> None:
    with pytest.raises(LocalProtocolError, match=f"'x' is no {wanted.__name__}"):
        argument_value(text, wanted)


def test_a_driver_without_calls_has_none() -> None:
    class Bare(Driver):
        scheme, description = "bare", "nothing"

    assert Bare.calls() == {}

    class Marked(Driver):
        scheme, description = "marked", "two"

        @call
        def one(self) -> Procedure[None]:
            yield from ()

        @writing_call
        def other(self) -> Procedure[None]:
            yield from ()

    assert {name: known.writes for name, known in Marked.calls().items()} == {"one": False, "other": True}
