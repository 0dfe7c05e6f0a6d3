"""Chaos rounds are chosen by name, and a run can be repeated from its seed."""

import pytest

from tools import chaos


def test_an_unknown_round_is_answered_with_the_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert chaos.main(["kil"], {"kill": lambda seed, rounds: [], "clock": lambda seed, rounds: []}) == 2
    assert "no chaos round 'kil'; there are: clock, kill" in capsys.readouterr().err


def test_no_name_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert chaos.main([], {}) == 2
    assert "none yet" in capsys.readouterr().err


def test_a_loss_fails_and_says_the_seed(capsys: pytest.CaptureFixture[str]) -> None:
    assert chaos.main(["kill", "--seed", "7"], {"kill": lambda seed, rounds: [f"lost {seed}"]}) == 1
    said = capsys.readouterr().out
    assert "lost 7" in said
    assert "repeat with --seed 7" in said


def test_a_seed_is_drawn_where_none_is_given() -> None:
    seeds: list[int] = []
    for _ in range(2):
        chaos.main(["kill"], {"kill": lambda seed, rounds: seeds.append(seed) or []})
    assert seeds[0] != seeds[1]
