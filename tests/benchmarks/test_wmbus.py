"""The telegrams that are measured are sound ones, and of the kind that the benchmark names."""

import pytest

from benchmarks import wmbus as mode_5
from benchmarks import wmbus_plain
from benchmarks._wmbus import telegrams
from polymeter.protocols import wmbus
from polymeter.protocols.wire import DecodeOptions


@pytest.mark.parametrize("encrypted", [False, True])
def test_every_measured_telegram_has_records(encrypted: bool) -> None:
    measured = telegrams(encrypted)
    assert len(measured) >= 3
    for data, key in measured:
        assert (key is not None) == encrypted
        (decoded,) = wmbus.decode(data, DecodeOptions((key,) if key is not None else ()), explain=False)
        assert decoded.valid
        assert decoded.records
        assert decoded.frame.configuration.mode == (5 if encrypted else 0)


@pytest.mark.parametrize("benchmark", [mode_5, wmbus_plain])
def test_ours_comes_first_and_says_what_it_does(benchmark: object) -> None:
    contenders = benchmark.CONTENDERS  # type: ignore[attr-defined]
    assert [each.name for each in contenders] == ["polymeter", "pymbusparser"]
    work = contenders[0].setup()
    work.run()
    assert work.check.endswith("telegrams")
