"""SML meters that are asked, by their driver, over loopback TCP and in simulated time."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import polymeter
from polymeter.catalogue import TelegramReading
from polymeter.drivers import Row
from polymeter.drivers.faces import driver_for
from polymeter.protocols import sml
from polymeter.protocols.sml.elements import ABSENT, Element, listing
from polymeter.protocols.wire import AccessDenied, LocalProtocolError, RemoteProtocolError, TransportError
from polymeter.testing import simulated_meter
from polymeter.transports.simulated import run_simulated
from polymeter.transports.wrappers import replay
from tests.protocols.sml.playing import LOG, NAME, NUMBER, PROFILE, ROOT, SERVER, START, STATE, Played, meter

NOW = datetime(2026, 7, 1, 12, 3, 20, tzinfo=UTC)
NOON = NOW.replace(minute=0, second=0)
GUARDED = {"clock": True, "username": "operator", "password": "open sesame", "period": 0.01}
each_form = pytest.mark.parametrize("form", ["pack", "list"])


def simulated(**config: object) -> contextlib.AbstractContextManager[str]:
    return simulated_meter("sml", 3, lambda: NOW, {**GUARDED, **config})


def call(played: Played, name: str, *arguments: Any, parameters: str = "") -> Any:
    """What a call of the driver gives, in simulated time."""
    driver = driver_for(f"sml://h:1?username=operator&password=secret&repeats=0{parameters}")
    end = sml.serve(list, 0, played.meter.answer)
    return run_simulated(driver.call(name, *arguments), end).result


def test_a_meter_that_is_asked_gives_its_list() -> None:
    with simulated() as address, polymeter.connect(address) as asked:
        assert asked.driver.listens is False
        energy, power, absent = asked.read("1.8.0", "16.7.0", "99.9.9")
        assert (energy.series, energy.unit, energy.timestamp) == ("1-0:1.8.0*255", "Wh", NOW)
        assert isinstance(power.value, int)
        assert absent.error == "the telegram has no 99.9.9"
        assert "1-0:32.7.0*255" in asked.objects()
        assert asked.clock() == NOW
    with simulated() as address, polymeter.connect(address + "&access=push") as heard:
        assert heard.driver.listens is True
        (pushed,) = heard.read("1.8.0")
        assert (pushed.value, pushed.timestamp) == (energy.value, NOW)


def test_asyncio_asks_the_same() -> None:
    async def both(address: str) -> tuple[list[TelegramReading], list[Row]]:
        async with polymeter.connect_async(address) as asked:
            return await asked.read("1.8.0"), await asked.read_profile("8181C78611FF", NOON, NOW)

    with simulated(period=0) as address:
        readings, rows = asyncio.run(both(address))
    assert readings[0].timestamp == NOW
    assert [row.timestamp for row in rows] == [NOON]


@pytest.mark.parametrize("checksum", ["x25", "kermit"])
@each_form
def test_rows_of_a_profile_have_times_values_and_a_status(form: str, checksum: str) -> None:
    with simulated(checksum=checksum) as address:
        url = f"{address}&profiles={form}&checksum={checksum}"
        with polymeter.connect(url) as asked:
            rows = asked.read_profile("8181C78611FF", NOON - timedelta(hours=1), NOW)
            (total,) = asked.read("1.8.0")
    assert [row.timestamp for row in rows] == [NOON - timedelta(minutes=15 * n) for n in (4, 3, 2, 1, 0)]
    assert {row.status for row in rows} == {"00"}
    for row in rows:
        imported, exported = row.readings
        assert (imported.series, imported.unit, imported.timestamp) == ("1-0:1.8.0*255", "Wh", row.timestamp)
        assert (exported.series, exported.value) == ("1-0:2.8.0*255", Decimal("0.0"))
    values = [row.readings[0].value for row in rows]
    assert values == sorted(values)
    assert isinstance(total.value, Decimal)
    assert values[-1] <= total.value


@each_form
def test_a_long_range_is_asked_for_in_parts_that_neither_overlap_nor_leave_gaps(form: str) -> None:
    begin, end = NOON - timedelta(days=35), NOON
    with simulated(period=0) as address:
        for days in ("7", "0.9", "40"):
            with polymeter.connect(f"{address}&profiles={form}&days={days}") as asked:
                rows = asked.read_profile("8181C78612FF", begin, end)
                assert [row.timestamp for row in rows] == [
                    begin + timedelta(hours=n) for n in range(35 * 24 + 1)
                ]


def test_a_range_may_be_given_in_any_zone_and_without_rows_there_are_none() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    begin = datetime(2026, 1, 31, 19, 30, tzinfo=berlin)
    rows = call(meter(), "read_profile", PROFILE.hex(), begin, START.astimezone(timezone.max))
    assert rows == []
    rows = call(meter(), "read_profile", PROFILE.hex(), begin, START + timedelta(hours=9))
    assert [row.timestamp for row in rows] == [START + timedelta(minutes=15 * n) for n in range(2, 8)]
    assert [row.status for row in rows] == [f"0{n % 3}" for n in range(2, 8)]
    assert (
        call(meter(), "read_profile", PROFILE.hex(), START + timedelta(days=1), START + timedelta(days=30))
        == []
    )


def test_a_range_must_say_its_zone() -> None:
    naive = datetime(2026, 1, 31)
    for bounds in ((naive, START), (START, naive), (START, datetime.max.replace(tzinfo=UTC))):
        with pytest.raises(LocalProtocolError, match=r"time zone|1970 and 2106"):
            call(meter(), "read_profile", PROFILE.hex(), *bounds)


def test_a_tree_is_read_and_its_values_are_set_as_the_kinds_that_they_are() -> None:
    played = meter()

    def values() -> dict[str, object]:
        return {one.series: one.value for one in call(played, "read_parameter", ROOT.hex())}

    root, log = "129-129:199.130.1*255", "129-129:199.137.225*255"
    assert values() == {
        root: -1,
        f"{root}/129-129:199.130.2*255": 5,
        f"{root}/129-129:199.130.3*255": b"name",
        f"{root}/{log}/129-129:199.130.14*255": 1,
    }
    (state,) = call(played, "read_parameter", f"{root}/{log}")
    assert (state.series, state.obis) == (f"{root}/{log}/129-129:199.130.14*255", "129-129:199.130.14*255")
    for path, value in [
        (f"{ROOT.hex()}/{NUMBER.hex()}", "0x1ff"),
        (f"129-129:199.130.1*255/{NAME.hex()}", "attic"),
        (f"{ROOT.hex()}/{LOG.hex()}/{STATE.hex()}", "false"),
    ]:
        assert call(played, "write", path, value) is None
    assert list(values().values()) == [-1, 511, b"attic", 0]
    call(played, "write", f"{ROOT.hex()}/{NAME.hex()}", "0x00ff")
    assert played.store[NAME].value == b"\x00\xff"


@pytest.mark.parametrize(
    ("path", "value", "error", "words"),
    [
        (f"{ROOT.hex()}/{NUMBER.hex()}", "many", LocalProtocolError, "'many' is no int"),
        (f"{ROOT.hex()}/{NUMBER.hex()}", "65536", LocalProtocolError, "does not fit into 2 octets"),
        (f"{ROOT.hex()}/{NUMBER.hex()}", "99", RemoteProtocolError, "FE09"),
        (f"{ROOT.hex()}/{LOG.hex()}/{STATE.hex()}", "perhaps", LocalProtocolError, "no bool"),
        (f"{ROOT.hex()}/{NAME.hex()}", "☃", LocalProtocolError, "Latin"),
        (f"{ROOT.hex()}/{NAME.hex()}", "0xf", LocalProtocolError, "hex digits"),
        (f"{ROOT.hex()}/{LOG.hex()}", "1", LocalProtocolError, "no value here"),
        (ROOT.hex(), "1", RemoteProtocolError, "FE05"),
        (NAME.hex(), "1", RemoteProtocolError, "FE0A"),
        ("nonsense", "1", LocalProtocolError, "hex digits"),
    ],
)
def test_what_cannot_be_set_is_told(path: str, value: str, error: type[Exception], words: str) -> None:
    played = meter()
    before = dict(played.store)
    with pytest.raises(error, match=words):
        call(played, "write", path, value)
    assert played.store == before


def test_a_time_is_not_set_as_if_it_were_a_number() -> None:
    played = meter()
    played.store[NAME] = listing(sml.unsigned(4, 1), sml.timestamp(5))
    played.store[NUMBER] = ABSENT
    for name in (NAME, NUMBER):
        with pytest.raises((LocalProtocolError, RemoteProtocolError), match=r"no value here|FE0A"):
            call(played, "write", f"{ROOT.hex()}/{name.hex()}", "5")


def test_a_wrong_password_is_told() -> None:
    with simulated() as address:
        url = address.partition("password=")[0]
        for wrong in ("password=x", "password=0x00", ""):
            with polymeter.connect(url + wrong) as asked, pytest.raises(AccessDenied, match="8181C7C7FE02"):
                asked.read()


def test_a_meter_without_a_clock_tells_none() -> None:
    with pytest.raises(RemoteProtocolError, match="has no clock"):
        call(meter(clock=False), "clock")
    assert call(meter(), "clock") == START


def test_the_list_that_is_named_is_asked_for() -> None:
    (found,) = call(meter(), "read", parameters="&list=990000000003")
    assert (found.series, found.value) == ("1-0:2.8.0*255", 7000)
    with pytest.raises(RemoteProtocolError, match="FE0A"):
        call(meter(), "read", parameters="&list=1-0:1.8.0*255")
    driver = driver_for(f"sml://h:1?list=990000000003&meter={SERVER.hex()}&client=0x0102")
    assert run_simulated(driver.read(), sml.serve(list, 0, meter(guarded=False).meter.answer)).result


def test_quirks_of_a_chosen_type_are_mended_in_answers_too() -> None:
    def entry() -> list[sml.Entry]:
        return [Signed(bytes.fromhex("0100100700ff"), -29912, 27, -2)]

    played = meter(guarded=False)
    played.meter.lists = {NAME: entry}
    (plain,) = call(played, "read")
    (mended,) = call(played, "read", parameters="&type=dzg-dvs74")
    assert (plain.value, mended.value) == (Decimal("-299.12"), Decimal("356.24"))


class Signed(sml.Entry):
    """An entry whose number takes two octets."""

    def element(self, kind: str = "ListEntry") -> Element:
        element = super().element(kind)
        element.value[5] = sml.integer(int(self.value), 2)
        return element


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ("access=pull", "access"),
        ("profiles=both", "profiles"),
        ("days=0", "days lies between"),
        ("days=1000", "days lies between"),
        ("checksum=md5", "checksum"),
        ("list=all", "hex digits"),
        ("meter=xyz", "server id must be given in hex"),
        ("file=first", "'first' is no int"),
        ("username=☃", "Latin letters"),
    ],
)
def test_a_wrong_parameter_is_told(parameters: str, words: str) -> None:
    with pytest.raises(LocalProtocolError, match=words):
        driver_for(f"sml://h:1?{parameters}")


def test_who_gives_a_user_or_a_list_asks() -> None:
    for parameters, listens in [
        ("", True),
        ("?username=x", False),
        ("?password=x", False),
        ("?list=990000000003", False),
        ("?access=request", False),
        ("?username=x&access=push", True),
        ("?meter=0a01504d580000000001", True),
    ]:
        assert driver_for(f"sml://h:1{parameters}").listens is listens


def test_a_recording_is_replayed_where_files_are_numbered() -> None:
    recording: list[str] = []
    with simulated(period=0) as address:
        with polymeter.connect(address + "&file=5", record=recording.append) as asked:
            energy = asked.read("1.8.0")
    query = address.partition("?")[2]
    assert replay(driver_for(f"sml://anywhere:1?{query}&file=5").read("1.8.0"), recording) == energy
    with pytest.raises(LocalProtocolError, match="now"):
        replay(driver_for(f"sml://anywhere:1?{query}").read("1.8.0"), recording)


def test_on_a_bad_line_values_are_right_or_missing() -> None:
    right = 0
    with simulated(period=0, faults={"flip": 0.2, "split": 0.5, "noise": 0.2}) as address:
        for _ in range(15):
            with contextlib.suppress(RemoteProtocolError, TransportError):
                with polymeter.connect(address + "&answer_timeout=0.05&repeats=1") as asked:
                    (row,) = asked.read_profile("8181C78612FF", NOON, NOW)
                    assert row.timestamp == NOON
                    right += 1
    assert right
