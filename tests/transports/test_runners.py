"""Every runner understands the four steps alike, and cleans up after itself."""

import asyncio
import socket
import threading

import pytest

from polymeter.protocols.procedure import Pause, Procedure, Receive, Send, SetLine
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError, TimedOut, TransportError
from polymeter.transports import loopback, runners, tcp
from polymeter.transports.runners import run, run_blocking
from polymeter.transports.simulated import run_simulated
from tests.conversations import Shell, each_real_shell, each_shell


def echo() -> Procedure[None]:
    while data := (yield Receive(5)):
        yield Send(data.upper())


def silence() -> Procedure[None]:
    while (yield Receive(1e6)):
        pass


@each_shell
def test_what_is_sent_is_answered(shell: Shell) -> None:
    def reader() -> Procedure[list[bytes]]:
        heard = []
        for word in (b"one", b"two"):
            yield Send(word)
            heard.append((yield Receive(5)))
        return heard

    assert shell(reader(), echo()) == [b"ONE", b"TWO"]


@each_shell
def test_a_time_out_is_raised_inside_the_procedure(shell: Shell) -> None:
    def reader() -> Procedure[str]:
        try:
            yield Receive(0.01)
        except TimedOut as error:
            return str(error)
        return "heard something"

    assert shell(reader(), silence()) == "nothing came within 0.01 s"


@each_shell
def test_a_time_out_that_nobody_catches_comes_out(shell: Shell) -> None:
    def reader() -> Procedure[None]:
        yield Receive(0.01)

    with pytest.raises(TimedOut):
        shell(reader(), silence())


@each_shell
def test_a_closed_line_is_heard_as_nothing(shell: Shell) -> None:
    def leaving() -> Procedure[None]:
        yield Send(b"bye")

    def reader() -> Procedure[list[bytes]]:
        return [(yield Receive(5)), (yield Receive(5)), (yield Receive(5))]

    assert shell(reader(), leaving()) == [b"bye", b"", b""]


@each_shell
def test_a_gap_ends_what_is_gathered(shell: Shell) -> None:
    def talking() -> Procedure[None]:
        yield Receive(5)
        for word in (b"a", b"b", b"c"):
            yield Send(word)
            yield Pause(0.005)
        yield Receive(5)
        yield Send(b"d")
        yield Receive(5)

    def reader() -> Procedure[list[bytes]]:
        yield Send(b"go")
        first = yield Receive(5, gap_s=0.1)
        yield Send(b"on")
        second = yield Receive(5, gap_s=0.02)
        return [first, second]

    assert shell(reader(), talking()) == [b"abc", b"d"]


@each_shell
def test_a_gap_ends_also_where_the_line_closes(shell: Shell) -> None:
    def leaving() -> Procedure[None]:
        yield Send(b"last")
        yield Send(b" words")

    def reader() -> Procedure[bytes]:
        return (yield Receive(5, gap_s=1))

    assert shell(reader(), leaving()) == b"last words"


@each_shell
def test_silence_before_the_first_byte_is_a_time_out_with_a_gap_too(shell: Shell) -> None:
    def reader() -> Procedure[None]:
        yield Receive(0.01, gap_s=0.01)

    with pytest.raises(TimedOut):
        shell(reader(), silence())


@each_shell
def test_lines_without_settings_take_any(shell: Shell) -> None:
    def reader() -> Procedure[bytes]:
        yield SetLine(300, 7, "E")
        yield Pause(0)
        yield Send(b"x")
        return (yield Receive(5))

    assert shell(reader(), echo()) == b"X"


@each_shell
@pytest.mark.parametrize("kind", [RemoteProtocolError, LocalProtocolError, ZeroDivisionError])
def test_what_the_procedure_raises_comes_out(shell: Shell, kind: type[Exception]) -> None:
    def reader() -> Procedure[None]:
        yield Send(b"x")
        raise kind("mine")

    with pytest.raises(kind, match="mine"):
        shell(reader(), echo())


@each_shell
def test_a_procedure_may_end_at_once(shell: Shell) -> None:
    def reader() -> Procedure[int]:
        return 5
        yield Send(b"")

    assert shell(reader(), silence()) == 5


@each_shell
def test_every_procedure_is_closed_in_the_end(shell: Shell) -> None:
    ended = []

    def reader() -> Procedure[None]:
        try:
            yield Receive(0.01)
        finally:
            ended.append(True)

    with pytest.raises(TimedOut):
        shell(reader(), silence())
    assert ended == [True]


@each_shell
def test_much_is_carried_whole(shell: Shell) -> None:
    text = bytes(range(256)) * 2000

    def reader() -> Procedure[bytes]:
        yield Send(text)
        heard = b""
        while len(heard) < len(text):
            heard += yield Receive(5)
        return heard

    def copy() -> Procedure[None]:
        while data := (yield Receive(5)):
            yield Send(data)

    assert shell(reader(), copy()) == text


@each_real_shell
def test_a_peer_that_never_falls_silent_is_cut_off(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runners, "RECEIVE_MAX", 1000)

    def babble() -> Procedure[None]:
        for _ in range(200):
            yield Send(b"blah " * 20)

    def reader() -> Procedure[int]:
        return len((yield Receive(5, gap_s=1)))

    assert 1000 <= shell(reader(), babble()) <= 200 * 100


def test_cancellation_closes_the_procedure() -> None:
    ended = asyncio.Event()

    def waiting() -> Procedure[None]:
        try:
            yield Receive(1e6)
        finally:
            ended.set()

    async def scenario() -> None:
        line, _ = loopback.pair()
        task = asyncio.create_task(run(waiting(), line))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()
        assert line._inbox._waiter is None

    asyncio.run(scenario())


def test_an_interrupt_closes_the_procedure() -> None:
    ended = []

    class Interrupted(loopback.Loopback):
        def receive(self, timeout_s: float) -> bytes:
            raise KeyboardInterrupt

    def waiting() -> Procedure[None]:
        try:
            yield Receive(1)
        finally:
            ended.append(True)

    line, _ = loopback.blocking_pair()
    with pytest.raises(KeyboardInterrupt):
        run_blocking(waiting(), Interrupted(line._inbox, line._outbox))
    assert ended


def test_the_blocking_runner_sleeps_as_it_is_told() -> None:
    slept: list[float] = []

    def pausing() -> Procedure[None]:
        yield Pause(3.5)

    line, _ = loopback.blocking_pair()
    run_blocking(pausing(), line, slept.append)
    assert slept == [3.5]


def test_a_line_that_breaks_fails_the_step() -> None:
    ours, theirs = socket.socketpair()
    line = tcp.TCP.__new__(tcp.TCP)
    line._socket, line._send_timeout_s = ours, 1
    theirs.close()

    def reader() -> Procedure[list[str]]:
        failures = []
        for step in (Send(b"x" * 100_000), Receive(1)):
            try:
                failures.append(repr((yield step)))
            except TransportError as error:
                failures.append(str(error))
        return failures

    sent, received = run_blocking(reader(), line)
    assert "sending failed" in sent
    assert received == "b''"
    line.close()


def test_sending_on_a_closed_line_is_a_failure_of_the_line() -> None:
    near, far = loopback.blocking_pair()
    near.close()
    near.close()
    with pytest.raises(TransportError, match="closed"):
        near.send(b"x")
    assert far.receive(1) == far.receive(1) == b""

    async def scenario() -> None:
        near, far = loopback.pair()
        await near.close()
        await near.close()
        with pytest.raises(TransportError, match="closed"):
            await near.send(b"x")
        assert await far.receive(1) == await far.receive(1) == b""

    asyncio.run(scenario())


def test_saying_nothing_is_not_hanging_up() -> None:
    near, far = loopback.blocking_pair()
    near.send(b"")
    near.send(b"x")
    assert far.receive(1) == b"x"

    async def scenario() -> None:
        near, far = loopback.pair()
        await near.send(b"")
        await near.send(b"x")
        assert await far.receive(1) == b"x"

    asyncio.run(scenario())


# simulated time


def test_simulated_time_counts_the_characters() -> None:
    def reader() -> Procedure[bytes]:
        yield SetLine(300, 7, "E")
        yield Send(b"x" * 30)
        return (yield Receive(10))

    def answering() -> Procedure[None]:
        yield SetLine(300, 7, "E")
        yield Send((yield Receive(10)))

    done = run_simulated(reader(), answering())
    assert done.result == b"x" * 30
    assert done.seconds == pytest.approx(2.0)


def test_different_baud_rates_give_rubbish_of_the_same_length() -> None:
    def reader() -> Procedure[bytes]:
        yield SetLine(300, 7, "E")
        return (yield Receive(10))

    def fast() -> Procedure[None]:
        yield SetLine(9600, 7, "E")
        yield Pause(1)
        yield Send(b"hello")

    heard = run_simulated(reader(), fast()).result
    assert len(heard) == 5
    assert heard != b"hello"


def test_what_is_under_way_was_sent_at_the_rate_of_then() -> None:
    def reader() -> Procedure[bytes]:
        yield SetLine(300, 7, "E")
        return (yield Receive(10))

    def switching() -> Procedure[None]:
        yield SetLine(300, 7, "E")
        yield Send(b"hello")
        yield SetLine(9600, 7, "E")
        yield Receive(10)

    assert run_simulated(reader(), switching(), latency_s=1.0).result == b"hello"


def test_latency_is_paid_both_ways() -> None:
    def reader() -> Procedure[bytes]:
        yield Send(b"x")
        return (yield Receive(10))

    assert run_simulated(reader(), echo(), latency_s=0.25).seconds == pytest.approx(0.5)


def test_hours_pass_in_no_time() -> None:
    def reader() -> Procedure[str]:
        yield Pause(3600 * 24)
        return "next day"

    assert run_simulated(reader(), silence()).seconds == 86_400


def test_there_is_an_end_to_waiting() -> None:
    def reader() -> Procedure[None]:
        while True:
            yield Pause(3600)

    with pytest.raises(TransportError, match="no end after 7200"):
        run_simulated(reader(), silence(), limit_s=7200)


def test_a_meter_that_breaks_down_hangs_up() -> None:
    def breaking() -> Procedure[None]:
        yield Receive(5)
        raise TransportError("meter broke")

    def reader() -> Procedure[bytes]:
        yield Send(b"x")
        return (yield Receive(5))

    assert run_simulated(reader(), breaking()).result == b""


def test_many_pieces_at_once_need_no_stack_of_calls() -> None:
    def flood() -> Procedure[None]:
        for _ in range(5000):
            yield Send(b"x")

    def reader() -> Procedure[int]:
        yield Pause(1)
        count = 0
        while (yield Receive(1)):
            count += 1
        return count

    assert run_simulated(reader(), flood()).result == 5000


def test_every_simulated_run_is_the_same() -> None:
    def reader() -> Procedure[list[bytes]]:
        heard = []
        for number in range(20):
            yield Send(bytes([number]))
            heard.append((yield Receive(1)))
        return heard

    first, second = (run_simulated(reader(), echo(), latency_s=0.1) for _ in range(2))
    assert first == second


def test_two_threads_may_talk_over_a_loopback() -> None:
    near, far = loopback.blocking_pair()
    thread = threading.Thread(target=run_blocking, args=(echo(), far))
    thread.start()

    def reader() -> Procedure[bytes]:
        yield Send(b"abc")
        return (yield Receive(5))

    assert run_blocking(reader(), near) == b"ABC"
    near.close()
    thread.join()
