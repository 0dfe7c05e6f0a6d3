"""The command as its users have it: output, exit status, one line for every mistake, no traceback."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import polymeter
from polymeter.cli import main
from polymeter.protocols.iec62056_21 import DataMessage, Identification, encode
from polymeter.simulators.wmbus import RadioMeter
from polymeter.testing import simulated_fleet
from tests.captures import ethernet, ip, pcap, udp

NOW = datetime(2026, 1, 31, 10, 15, tzinfo=UTC)
READ_OUT = encode(Identification("PMX", "5", "SIM100")) + encode(
    DataMessage("0.0.0(42)\r\n1.8.0(7*kWh)\r\n96.9.0(21*\xb0C)\r\n!\r\n")
)
BAD = READ_OUT[:-1] + bytes([READ_OUT[-1] ^ 1])


class Run:
    """Runs the command in this process, as the shell would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["polymeter", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = self._capsys.readouterr()
        assert "Traceback" not in out + err
        return int(left.value.code or 0), out, err


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(monkeypatch, capsys)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with simulated_fleet("iec62056-21", 1, 7, lambda: NOW, {"password": "open sesame"}) as addresses:
        yield addresses[0]


# decode


def test_decode_explains_a_frame(run: Run) -> None:
    status, out, err = run("decode", READ_OUT.hex())
    assert (status, err) == (0, "")
    assert out.startswith("frame 1: iec62056-21, valid: STX")
    assert "meter: id=42 manufacturer=PMX identification=SIM100" in out
    assert "1-0:1.8.0*255   7   kWh    active energy import" in out


@pytest.mark.parametrize("line", ['{"telegram": "%s"}', "telegram=|%s|+12"])
def test_decode_takes_what_a_receiver_prints(run: Run, line: str) -> None:
    telegram = RadioMeter(2, 0, 1, lambda: NOW).telegram()
    status, out, err = run("decode", line % telegram.hex())
    assert (status, err) == (0, "")
    assert out.startswith("frame 1: wmbus, valid")


def test_decode_gives_json_that_is_the_librarys(run: Run) -> None:
    status, out, err = run("decode", "--json", READ_OUT.hex())
    assert (status, err) == (0, "")
    assert [json.loads(line) for line in out.splitlines()] == polymeter.decode_all(READ_OUT)


def test_decode_gives_csv(run: Run) -> None:
    status, out, _ = run("decode", "--csv", READ_OUT.hex())
    rows = list(csv.DictReader(io.StringIO(out)))
    assert status == 0
    assert "\r" not in out
    assert rows[1] | {"meter": "42", "value": "7", "unit": "kWh", "obis": "1-0:1.8.0*255"} == rows[1]


def test_a_frame_that_is_bad_is_shown_and_fails(run: Run) -> None:
    status, out, _ = run("decode", BAD.hex())
    assert status == 1
    assert "INVALID" in out
    assert "error at 0:" in out
    status, out, _ = run("decode", "--json", BAD.hex())
    shown = json.loads(out)
    assert (status, shown["valid"], shown["readings"]) == (1, False, [])
    assert shown["errors"][0]["offset"] == len(BAD) - 1
    status, out, err = run("decode", "--csv", BAD.hex())
    assert (status, len(out.splitlines())) == (1, 1)
    assert "block check" in err


def test_lenient_shows_the_values_and_still_fails(run: Run) -> None:
    status, out, _ = run("decode", "--lenient", "--json", BAD.hex())
    assert (status, len(json.loads(out)["readings"])) == (1, 3)


def test_several_frames_are_several_lines(run: Run) -> None:
    status, out, _ = run("decode", "--json", (READ_OUT + BAD + READ_OUT).hex())
    assert status == 1
    assert [json.loads(line)["valid"] for line in out.splitlines()] == [True, False, True]


@pytest.mark.parametrize(
    "content", [READ_OUT, READ_OUT.hex().encode(), b"0x" + READ_OUT.hex(" ").encode() + b"\n"]
)
def test_files_hold_bytes_or_hex(run: Run, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "frame"
    path.write_bytes(content)
    assert run("decode", str(path))[0] == 0


def test_a_capture_is_read(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "some.pcap"
    path.write_bytes(pcap([ethernet(ip(udp(READ_OUT))), ethernet(ip(udp(READ_OUT)))]))
    status, out, err = run("decode", "--json", str(path))
    assert status == 0
    assert len(out.splitlines()) == 2
    assert "udp 192.0.2.1:1000 -> 192.0.2.2:2000" in err
    path.write_bytes(path.read_bytes()[:-10])
    status, out, err = run("decode", "--json", str(path))
    assert status == 1
    assert len(out.splitlines()) == 2
    assert "the capture ends in the middle of a packet" in err


@pytest.mark.parametrize("size", range(0, len(READ_OUT), 3))
def test_a_frame_cut_anywhere_fails_without_a_traceback(run: Run, size: int) -> None:
    status, out, err = run("decode", "--json", "--protocol", "iec62056-21", READ_OUT[:size].hex() or "''")
    line = READ_OUT.index(b"\x02")
    assert status == (2 if size == 0 else 0 if size == line else 1)
    assert out or err.startswith("polymeter: ")


# read and call


def test_read_prints_a_table(run: Run, address: str) -> None:
    status, out, err = run("read", address)
    assert (status, err) == (0, "")
    assert "1-0:1.8.0*255" in out
    assert "kWh" in out


def test_read_prints_json(run: Run, address: str) -> None:
    status, out, _ = run("read", "--json", address, "1.8.0", "1.7.0")
    assert status == 0
    assert [json.loads(line)["series"] for line in out.splitlines()] == ["1-0:1.8.0*255", "1-0:1.7.0*255"]


def test_a_refused_object_is_shown_and_fails(run: Run, address: str) -> None:
    status, out, _ = run("read", "--json", address, "1.8.0", "9.9.9")
    shown = [json.loads(line) for line in out.splitlines()]
    assert status == 1
    assert (shown[0]["value"] is None, shown[1]["value"]) == (False, None)
    assert "9.9.9" in shown[1]["error"]


def test_trace_goes_to_stderr_and_record_to_a_file(run: Run, address: str, tmp_path: Path) -> None:
    path = tmp_path / "talk.jsonl"
    status, out, err = run("read", "--trace", "--record", str(path), "--json", address, "1.8.0")
    assert status == 0
    assert len(out.splitlines()) == 1
    assert "> 2f 3f" in err
    assert all(json.loads(line) for line in path.read_text().splitlines())


@pytest.mark.parametrize("way", ["file", "environment", "outright", "prompt"])
def test_secrets_come_from_everywhere(
    run: Run, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    (tmp_path / "secret").write_text("open sesame\n")
    monkeypatch.setenv("METER_PASSWORD", "open sesame")
    monkeypatch.setattr("typer.prompt", lambda *arguments, **given: "open sesame")
    given = {
        "file": f"password=@{tmp_path}/secret",
        "environment": "password=env:METER_PASSWORD",
        "outright": "password=open sesame",
        "prompt": "password",
    }[way]
    assert run("read", "--secret", given, address, "1.8.0")[0] == 0


@pytest.mark.parametrize("way", ["file", "environment"])
def test_keys_come_from_files_and_the_environment(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    (tmp_path / "key").write_text("00112233445566778899aabbccddeeff\n")
    monkeypatch.setenv("KEY", "00112233445566778899aabbccddeeff")
    given = f"@{tmp_path}/key" if way == "file" else "env:KEY"
    assert run("decode", "--key", given, "--auth-key", given, READ_OUT.hex())[0] == 0


def test_call_help_lists_the_calls(run: Run, address: str) -> None:
    status, out, _ = run("call", address, "help")
    assert status == 0
    assert "read objects=str\n    Read the named objects" in out
    assert "objects" in out


def test_call_makes_any_call(run: Run, address: str) -> None:
    status, out, _ = run("call", address, "objects")
    assert status == 0
    assert "1-0:1.8.0*255" in out.splitlines()
    status, out, _ = run("call", "--json", address, "objects")
    assert json.loads(out.splitlines()[0]) == "0-0:97.97.0*255"
    status, out, _ = run("call", address, "read", "objects=1.8.0")
    assert (status, out.startswith("1-0:1.8.0*255")) == (0, True)


# misuse


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["nonsense"], 2, "No such command"),
        (["--nonsense"], 2, "No such option"),
        (["decode"], 2, "Missing argument"),
        (["decode", "xyz"], 2, "'xyz' is neither hex digits nor a file"),
        (["decode", "/no/such/file"], 2, "neither hex digits nor a file"),
        (["decode", "/"], 2, "neither hex digits nor a file"),
        (["decode", ""], 2, "the input is empty"),
        (["decode", "abc"], 2, "3 hex digits are no whole number of bytes"),
        (["decode", "x" * 5000], 2, "neither hex digits nor a file"),
        (["decode", "a\0b"], 2, "neither hex digits nor a file"),
        (["decode", "\udcff"], 2, "neither hex digits nor a file"),
        (["decode", "ünï"], 2, "neither hex digits nor a file"),
        (["decode", "00", "--protocol", "morse"], 2, "there is no protocol 'morse'"),
        (["decode", "00", "--json", "--csv"], 2, "give --json or --csv, not both"),
        (["decode", "00", "--key", "hunter2"], 2, "the key must be given in hex digits"),
        (["decode", "00", "--key", "@/no/such/file"], 2, "cannot read the secret from /no/such/file"),
        (["decode", "00", "--key", "env:NO_SUCH_VARIABLE"], 2, "the environment has no NO_SUCH_VARIABLE"),
        (["decode", "00", "--auth-key", "hunter2"], 2, "the authentication key must be given in hex digits"),
        (["decode", "00", "11"], 2, "unexpected extra argument"),
        (["read"], 2, "Missing argument"),
        (["read", "10.0.0.5:5000"], 2, "is no address"),
        (["read", "morse://h:1"], 2, "there is no driver 'morse'"),
        (["read", "iec62056-21://h"], 2, "has no default port"),
        (["read", "iec62056-21://h:99999"], 2, "no valid host and port"),
        (["read", "iec62056-21://[::1"], 2, "no valid host and port"),
        (["read", "iec62056-21://h:1?colour=red"], 2, "has no parameter 'colour'"),
        (["read", "iec62056-21://h:1?timeout=soon"], 2, "timeout must be a number"),
        (["read", "iec62056-21://127.0.0.1:9"], 1, "cannot connect to 127.0.0.1 port 9"),
        (["read", "iec62056-21://no-such-host.invalid:9"], 1, "cannot connect to"),
        (["read", "iec62056-21://" + "a" * 80 + ":9"], 1, "cannot connect to"),
        (["read", "iec62056-21+serial:///dev/no-such-port"], 1, "cannot open /dev/no-such-port"),
        (["read", "iec62056-21+serial:///dev/x?baud=nan"], 2, "baud must be"),
        (["read", "iec62056-21+modem://0123"], 2, "needs ?via="),
        (
            ["read", "iec62056-21://127.0.0.1:9", "--secret", "password=@/no/file"],
            2,
            "cannot read the secret",
        ),
        (["read", "iec62056-21://127.0.0.1:9", "--secret", "colour=red"], 2, "has no parameter 'colour'"),
        (
            ["read", "iec62056-21://127.0.0.1:9", "--record", "/no/such/folder/x"],
            2,
            "cannot write /no/such/folder/x",
        ),
        (["read", "iec62056-21://127.0.0.1:9", "--to", "2026-01-31"], 2, "--to needs --from"),
        (["read", "iec62056-21://{}", "--from", "yesterday", "P.01"], 2, "'yesterday' is no ISO time"),
        (["read", "iec62056-21://{}", "--from", "2026-01-31"], 2, "needs exactly one object"),
        (["read", "iec62056-21://{}", "--from", "2026-01-31", "P.77"], 1, "the meter answers (ERROR)"),
        (["read", "iec62056-21://{}", "--secret", "password=hunter2", "1.8.0"], 1, "refuses the password"),
        (["read", "iec62056-21://{}&answer_timeout=0.01&speed=x"], 2, "speed must be one of"),
        (["call", "iec62056-21://{}"], 2, "Missing argument"),
        (["call", "iec62056-21://{}", "dance"], 2, "has no call 'dance'; there are clock, execute, objects"),
        (["call", "iec62056-21://{}", "read", "nonsense"], 2, "is no argument of read; there are objects"),
        (["call", "iec62056-21://{}", "objects", "a=1"], 2, "is no argument of objects; there are none"),
        (["simulate"], 2, "Missing argument"),
        (["simulate", "morse"], 2, "there is no simulator for 'morse'"),
        (["simulate", "iec62056-21", "--listen", "nowhere"], 2, "'nowhere' is no HOST:PORT"),
        (["simulate", "iec62056-21", "--listen", "h:99999"], 2, "is no HOST:PORT"),
        (["simulate", "iec62056-21", "--listen", "192.0.2.1:0"], 1, "cannot listen on 192.0.2.1"),
        (["simulate", "iec62056-21", "--count", "0"], 2, "--count"),
        (["simulate", "iec62056-21", "--count", "many"], 2, "--count"),
        (["simulate", "iec62056-21", "--config", "/no/such/file"], 2, "/no/such/file"),
        (["doctor", "--nonsense"], 2, "No such option"),
    ],
    ids=lambda value: (
        " ".join(value)[:60].encode("ascii", "replace").decode() if isinstance(value, list) else None
    ),
)
def test_every_misuse_is_one_line_and_a_status(
    run: Run, address: str, arguments: list[str], status: int, said: str
) -> None:
    place = address.partition("://")[2]
    left, out, err = run(*[argument.replace("{}", place) for argument in arguments])
    assert (left, out) == (status, "")
    assert err.startswith("polymeter: ")
    assert err.count("\n") == 1
    assert said in err
    assert "hunter2" not in err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("colour = 1", "has no setting 'colour'"),
        ("= 1", "config.toml: "),
        ('reaction = "x"', "must be a number"),
    ],
)
def test_a_wrong_configuration_is_told(run: Run, tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(content)
    status, _, err = run("simulate", "iec62056-21", "--config", str(path))
    assert status == 2
    assert said in err


def test_a_file_that_may_not_be_read_is_told(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "frame"
    path.write_bytes(READ_OUT)

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    status, _, err = run("decode", str(path))
    assert (status, "Permission denied" in err) == (2, True)


# doctor, help, version, completion


def test_doctor_finds_this_installation_well(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYMETER_DATA_DIR", str(tmp_path))
    status, out, err = run("doctor")
    assert (status, err) == (0, "")
    assert re.search(r"^ok +catalogue", out, re.MULTILINE)
    status, out, _ = run("doctor", "--json")
    assert {json.loads(line)["state"] for line in out.splitlines()} <= {"ok", "note"}


def test_doctor_tells_what_is_wrong(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from polymeter.catalogue import meter_types

    (tmp_path / "bare.toml").write_text('protocol = "iec62056-21"\nmanufacturer = "x"\n')
    monkeypatch.setenv("POLYMETER_CATALOGUE_PATH", str(tmp_path))
    meter_types.cache_clear()
    try:
        status, out, _ = run("doctor")
        assert (status, "bare carries no telegram" in out) == (1, True)
        (tmp_path / "bare.toml").write_text("rubbish")
        meter_types.cache_clear()
        status, out, _ = run("doctor")
        assert (status, "meter type bare" in out) == (1, True)
    finally:
        monkeypatch.undo()
        meter_types.cache_clear()


def test_the_version_is_the_packages(run: Run) -> None:
    assert run("--version") == (0, f"polymeter {polymeter.__version__}\n", "")


@pytest.mark.parametrize("command", [[], ["decode"], ["read"], ["call"], ["simulate"], ["doctor"]])
def test_every_command_has_help(run: Run, command: list[str]) -> None:
    status, out, err = run(*command, "--help")
    assert (status, err) == (0, "")
    assert "Usage" in out


def test_without_arguments_the_help_is_shown(run: Run) -> None:
    status, out, err = run()
    assert status == 2
    assert "decode" in out + err


# as a process


def process(*arguments: str, **given: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "polymeter", *arguments],
        stdin=given.pop("stdin", subprocess.DEVNULL),  # type: ignore[arg-type]
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TERM": "dumb"} | given.pop("env", {}),  # type: ignore[operator]
    )


def test_stdin_is_read() -> None:
    done = process("decode", "--json", "-", stdin=subprocess.PIPE)
    out, err = done.communicate(READ_OUT.hex())
    assert (done.returncode, err) == (0, "")
    assert json.loads(out)["valid"]


def test_simulate_prints_addresses_that_read_takes() -> None:
    meters = process("simulate", "iec62056-21", "--count", "2", "--seed", "7")
    try:
        assert meters.stdout is not None
        lines = [meters.stdout.readline().strip() for _ in range(2)]
        for line in lines:
            reader = process("read", "--json", line, "0.0.0")
            out, err = reader.communicate()
            assert (reader.returncode, err) == (0, "")
            assert json.loads(out)["value"] == line[-8:]
    finally:
        meters.send_signal(signal.SIGINT)
        out, err = meters.communicate()
    assert (meters.returncode, out) == (0, "")
    assert err == "2 meters answer; Ctrl-C ends it\n"


def test_ctrl_c_ends_a_read_quietly() -> None:
    with simulated_fleet("iec62056-21", config={"reaction": 60}) as (slow,):
        reader = process("read", "--trace", slow + "&answer_timeout=100")
        assert reader.stderr is not None
        assert reader.stderr.readline().startswith("> ")
        reader.send_signal(signal.SIGINT)
        out, err = reader.communicate()
    assert (reader.returncode, out, err) == (130, "", "")


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "many"
    path.write_bytes(READ_OUT * 2000)
    for options in (["--json"], ["--csv"], []):
        done = process("decode", *options, str(path))
        assert done.stdout is not None
        assert done.stderr is not None
        assert done.stdout.readline()
        done.stdout.close()
        assert done.wait() in (0, 1)
        assert done.stderr.read() == ""
        done.stderr.close()


@pytest.mark.parametrize("options", [["--json"], ["--csv"], []])
def test_an_output_that_knows_only_ascii_is_no_error(options: list[str]) -> None:
    done = process("decode", *options, READ_OUT.hex(), env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    out, err = done.communicate()
    assert (done.returncode, err) == (0, "")
    if options == ["--json"]:
        assert json.loads(out)["readings"][2]["unit"] == "°C"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_installed(tmp_path: Path, shell: str) -> None:
    done = process(
        "--install-completion",
        shell,
        env={"HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
    )
    out, err = done.communicate()
    assert done.returncode == 0, out + err
    written = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert "POLYMETER_COMPLETE" in written


def test_completion_knows_protocols_and_schemes() -> None:
    for words, wanted in (
        ("polymeter decode --protocol iec", "iec62056-21"),
        ("polymeter read iec", "iec62056-21"),
    ):
        env = {
            "_POLYMETER_COMPLETE": "complete_bash",
            "_PYTHON_M_POLYMETER_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        }
        script = "import sys; sys.argv = ['polymeter']; from polymeter.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", script], env=os.environ | env, capture_output=True, text=True, check=False
        )
        assert wanted in done.stdout, done.stderr
