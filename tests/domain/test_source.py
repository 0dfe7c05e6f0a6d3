import itertools

import pytest

from polymeter.domain import RANK, Quality, Source, UnknownQuality, UnknownSource, wins


def test_every_source_has_a_rank_of_its_own() -> None:
    order = sorted(Source, key=lambda source: -RANK[source])
    assert [source.label for source in order] == ["manual", "profile", "push", "poll", "estimate", "import"]
    assert len(set(RANK.values())) == len(Source)


def test_the_higher_rank_wins_and_at_equal_rank_the_later() -> None:
    for incoming, present in itertools.product(Source, Source):
        assert wins(incoming, present) is (RANK[incoming] >= RANK[present])


def test_names_of_sources_and_qualities_round_trip() -> None:
    assert all(Source.of(source.label) is source for source in Source)
    flags = Quality.CHANGED | Quality.ESTIMATED
    assert Quality.of(flags.names) == flags
    assert Quality.GOOD.names == ()
    with pytest.raises(UnknownSource, match="known are manual"):
        Source.of("rumour")
    with pytest.raises(UnknownQuality, match="known are changed"):
        Quality.of(["fine"])
