"""Finding meters: by every primary address, and by secondary addresses like words in a dictionary."""

from functools import partial
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymeter.protocols import mbus
from polymeter.protocols.mbus import ANY, Bus, Connection, Found, LongHeader, Options, SecondaryAddress, Slave
from polymeter.protocols.mbus.fixed import FixedData, encode_fixed
from polymeter.protocols.procedure import Procedure, Receive
from polymeter.protocols.wire import TransportError
from polymeter.transports.simulated import run_simulated
from tests.protocols.mbus.line import conversation

QUICK = Options(0.4, 0.05, 1, repeats_silence=False)


def shown(header: LongHeader) -> list[tuple[int, bytes]]:
    """A header and what no two meters have in common, as data mostly is."""
    return [(0x72, bytes(header) + b"\x07\x13" + sha256(bytes(header)).digest()[:8])]


def slave(
    number: str, address: int = 0, version: int = 1, medium: int = 4, maker: str = "PMX", **more: Any
) -> Slave:
    header = LongHeader(number, maker, version, medium)
    return Slave(header, address, partial(shown, header), **more)


def on(bus: Bus | list[Slave], search: Procedure[list[Found]]) -> list[Found]:
    return run_simulated(search, mbus.serve(bus if isinstance(bus, Bus) else Bus(bus))).result


def secondary(*slaves: Slave, mask: SecondaryAddress = ANY, exact: bool = False, **more: Any) -> list[Found]:
    search = mbus.scan_secondary(Connection("master"), mask, QUICK, **more)
    return on(Bus(slaves, exact_overlap=exact), search)


def ids(found: list[Found]) -> list[str]:
    return [(one.secondary or "?")[:8] for one in found]


def test_an_empty_bus_is_soon_searched() -> None:
    assert secondary() == []


def test_one_meter_is_found_by_the_first_question() -> None:
    meter = slave("12345678", 9)
    (found,) = secondary(meter)
    assert found == Found(9, "12345678B8410104", "PMX", "heat", 1)


@pytest.mark.parametrize("exact", [False, True])
def test_numbers_that_differ_in_one_digit_are_told_apart(exact: bool) -> None:
    numbers = ["12345670", "12345671", "12345679", "22345670"]
    found = secondary(*(slave(number) for number in numbers), exact=exact)
    assert sorted(ids(found)) == numbers
    assert not any(one.collision for one in found)


@settings(max_examples=12, deadline=None)
@given(st.sets(st.integers(0, 99_999_999), min_size=1, max_size=8), st.booleans())
def test_every_meter_is_found_once(numbers: set[int], exact: bool) -> None:
    wanted = sorted(f"{number:08d}" for number in numbers)
    found = secondary(*(slave(number) for number in wanted), exact=exact)
    assert sorted(ids(found)) == wanted


def test_one_number_of_several_makers_versions_and_media() -> None:
    meters = [
        slave("00000001", version=1, medium=4),
        slave("00000001", version=0xF0, medium=4),
        slave("00000001", version=1, medium=0x15),
        slave("00000001", maker="ABC"),
        slave("00000001", maker="ABD"),
    ]
    mask = SecondaryAddress.parse("00000001")
    found = secondary(*meters, mask=mask)
    assert {one.secondary for one in found} == {SecondaryAddress.of(one.header).digits for one in meters}


def test_a_mask_narrows_the_search() -> None:
    meters = [slave("11111111", medium=4), slave("22222222", medium=7)]
    assert ids(secondary(*meters, mask=SecondaryAddress.parse("FFFFFFFFFFFFFF07"))) == ["22222222"]
    assert ids(secondary(*meters, mask=SecondaryAddress.parse("1FFFFFFF"))) == ["11111111"]
    assert secondary(*meters, mask=SecondaryAddress.parse("3FFFFFFF")) == []


def test_hexadecimal_numbers_are_found_if_asked_for() -> None:
    meters = [slave("1234ABCD"), slave("1234ABCE"), slave("12340000")]
    assert ids(secondary(*meters)) == ["12340000"]
    assert sorted(ids(secondary(*meters, hexadecimal=True))) == ["12340000", "1234ABCD", "1234ABCE"]


def test_meters_with_the_same_address_are_a_collision() -> None:
    twins = [slave("12345678", 1), slave("12345678", 2)]
    (found,) = secondary(*twins, mask=SecondaryAddress.parse("12345678B8410104"))
    assert found == Found(None, "12345678B8410104", collision=True)


def test_a_meter_that_is_selected_and_silent_is_noted() -> None:
    found, _ = conversation(
        mbus.scan_secondary(Connection("master"), SecondaryAddress.parse("12345678B8410104"), QUICK),
        [None, b"\xe5", None, None],
    )
    assert found == [Found(None, "12345678B8410104")]


def asked(*answers: bytes | None, address: str = "12345678B8410104") -> list[Found]:
    """What a search for one address finds on a line that says this."""
    search = mbus.scan_secondary(Connection("master"), SecondaryAddress.parse(address), QUICK)
    return conversation(search, list(answers))[0]


def test_one_byte_of_noise_is_asked_again_and_is_no_meter() -> None:
    assert asked(None, b"\x41", b"\x41") == []
    (found,) = asked(None, b"\x41", b"\xe5", None, None)
    assert not found.collision


def test_who_is_selected_and_answers_with_less_than_a_header_is_told_as_a_collision() -> None:
    answer = mbus.encode(mbus.LongFrame(8, 1, 0x72, b"short"))
    (found,) = asked(None, b"\xe5", answer, answer)
    assert (found.secondary, found.collision) == ("12345678B8410104", True)


def test_who_is_selected_and_acknowledges_the_request_is_one_meter_without_data() -> None:
    assert asked(None, b"\xe5", b"\xe5") == [Found(None, "12345678B8410104")]


def test_a_line_that_closes_ends_the_search() -> None:
    search = mbus.scan_secondary(Connection("master"), ANY, QUICK)
    effect = next(search)
    with pytest.raises(TransportError, match="closed"):
        while True:
            effect = search.send(b"" if isinstance(effect, Receive) else None)


def test_data_that_overlaps_to_something_sound_is_not_believed() -> None:
    """Nothing but zero bits wins on the line: these two answers make the sound answer of a third."""
    one, other = (LongHeader(number, "PMX", 1, 4) for number in ("00000068", "00000208"))
    slaves = [Slave(header, 0, partial(bare, header)) for header in (one, other)]
    overlapped = Bus(slaves, exact_overlap=True).session()
    overlapped.answer(mbus.LongFrame(0x53, 253, 0x52, bytes(ANY)))
    (seen,) = mbus.decode(overlapped.answer(mbus.ShortFrame(0x7B, 253)))
    assert (seen.valid, seen.meter.id) == (True, "00000008")
    found = secondary(*slaves, exact=True)
    assert sorted(ids(found)) == ["00000068", "00000208"]


def bare(header: LongHeader) -> list[tuple[int, bytes]]:
    return [(0x72, bytes(header))]


def test_a_noisy_meter_is_found_all_the_same() -> None:
    assert ids(secondary(slave("12345678", garbles=3), slave("87654321", garbles=4))) == [
        "12345678",
        "87654321",
    ]


def test_a_late_answer_ends_no_search() -> None:
    """Time-outs that are too short for the meter: its answer comes when somebody else is asked."""
    hasty = Options(0.1, 0.05, 1, repeats_silence=False)
    search = mbus.scan_secondary(Connection("master"), SecondaryAddress.parse("1111111F"), hasty)
    meter = slave("11111111", reaction_s=0.12)
    assert on([meter], search) is not None


def test_findings_and_progress_are_told_on_the_way() -> None:
    told: list[Found] = []
    shares: list[float] = []
    found = secondary(
        slave("11111111"),
        slave("22222222"),
        report=told.append,
        progress=lambda what, done: shares.append(done),
    )
    assert told == found
    assert shares[0] == 0.0
    assert shares[-1] == 1.0
    assert shares == sorted(shares)


def primary(*slaves: Slave, addresses: range = range(4), **more: Any) -> list[Found]:
    return on(list(slaves), mbus.scan_primary(Connection("master"), addresses, QUICK, **more))


def test_primary_addresses_are_asked_one_by_one() -> None:
    told: list[Found] = []
    shares: list[float] = []
    found = primary(
        slave("11111111", 1),
        slave("22222222", 3),
        slave("33333333", 9),
        report=told.append,
        progress=lambda what, done: shares.append(done),
    )
    assert [(one.primary, one.secondary) for one in found] == [
        (1, "11111111B8410104"),
        (3, "22222222B8410104"),
    ]
    assert told == found
    assert shares == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_several_meters_with_one_primary_address_are_a_collision() -> None:
    (found,) = primary(slave("11111111", 2), slave("22222222", 2))
    assert (found.primary, found.collision) == (2, True)


def test_a_meter_that_acknowledges_and_has_no_data_is_a_meter() -> None:
    (found,) = primary(Slave(LongHeader("1", "PMX", 1, 4), 2, list))
    assert found == Found(2, None)
    (found,) = secondary(Slave(LongHeader("1", "PMX", 1, 4), 2, list))
    assert found == Found(None, "00000001B8410104")


def test_a_fixed_structure_tells_a_number_and_a_medium() -> None:
    data = encode_fixed(FixedData("12345678", 1, 0, (5, 0x3E), 7, (bytes(4), bytes(4))))
    meter = Slave(LongHeader("12345678", "PMX", 1, 7), 2, lambda: [(0x73, data)])
    (found,) = primary(meter)
    assert (found.secondary, found.medium, found.manufacturer) == ("12345678FFFFFFFF", "water", None)


def test_the_whole_range_is_asked_by_default() -> None:
    assert [
        one.primary for one in on([slave("1", 250)], mbus.scan_primary(Connection("master"), options=QUICK))
    ] == [250]
