"""A scripted modem: it dials, it is busy, it loses the carrier, it hangs up."""

import pytest

from polymeter.protocols.procedure import Procedure, Receive, Send
from polymeter.protocols.wire import LocalProtocolError, TimedOut, TransportError
from polymeter.transports import loopback, modem, urls
from polymeter.transports.modem import dial, hang_up, with_carrier
from polymeter.transports.runners import run_blocking
from polymeter.transports.simulated import run_simulated
from polymeter.transports.urls import URL
from tests.conversations import Shell, each_shell


def scripted(
    answers: dict[bytes, bytes], heard: list[bytes] | None = None, meter: bytes = b""
) -> Procedure[None]:
    """A modem that gives these answers; once connected it hands on one `meter` answer."""
    while data := (yield Receive(1e6)):
        if heard is not None:
            heard.append(data)
        answer = answers.get(data.strip(), b"" if data == b"+++" else meter)
        if answer:
            yield Send(answer)


READY = {b"ATE0": b"ATE0\r\r\nOK\r\n", b"ATV1": b"\r\nOK\r\n"}


@each_shell
def test_a_number_is_dialled(shell: Shell) -> None:
    heard: list[bytes] = []
    answers = {**READY, b"ATD0123": b"\r\nRINGING\r\n\r\nCONNECT 9600/V34\r\n"}
    assert shell(dial("0123"), scripted(answers, heard)) == "CONNECT 9600/V34"
    assert heard == [b"ATE0\r", b"ATV1\r", b"ATD0123\r"]


def test_the_initialisation_may_be_another() -> None:
    heard: list[bytes] = []
    answers = {b"AT&F": b"OK\r", b"AT+CBST=71": b"OK\r", b"ATD1": b"CONNECT\r"}
    run_simulated(dial("1", ["AT&F", "AT+CBST=71"]), scripted(answers, heard))
    assert heard[:2] == [b"AT&F\r", b"AT+CBST=71\r"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"\r\nBUSY\r\n", "the number is busy"),
        (b"\r\nNO CARRIER\r\n", "no carrier"),
        (b"\r\nNO ANSWER\r\n", "nobody answers"),
        (b"\r\nNO DIALTONE\r\n", "no dial tone"),
        (b"\r\nNO DIAL TONE\r\n", "no dial tone"),
        (b"\r\nDELAYED\r\n", "for a while"),
        (b"\r\nBLACKLISTED\r\n", "blocks this number"),
        (b"\r\nERROR\r\n", "refuses the command"),
    ],
)
def test_every_refusal_of_the_modem_is_said_in_words(answer: bytes, said: str) -> None:
    with pytest.raises(TransportError, match=said):
        run_simulated(dial("0123"), scripted({**READY, b"ATD0123": answer}))


def test_a_modem_that_does_not_answer_is_named() -> None:
    with pytest.raises(TimedOut, match="the modem does not answer ATE0"):
        run_simulated(dial("0123"), scripted({}))


def test_a_call_that_nobody_takes_ends() -> None:
    with pytest.raises(TransportError, match="no connection to 0123 within 90 s"):
        run_simulated(dial("0123"), scripted(READY))


def test_a_modem_that_talks_rubbish_is_given_up() -> None:
    with pytest.raises(TransportError, match="rubbish"):
        run_simulated(dial("0123"), scripted({b"ATE0": b"blah\r\n" * 1000}))


def test_a_line_to_the_modem_that_closes_is_told() -> None:
    def gone() -> Procedure[None]:
        yield Receive(5)

    with pytest.raises(TransportError, match="line to the modem closed"):
        run_simulated(dial("0123"), gone())


@pytest.mark.parametrize("number", ["", "12\rATZ", "0123;\n", "number", "１２３", "A" * 3 + "\0"])
def test_what_is_no_number_is_not_dialled(number: str) -> None:
    with pytest.raises(LocalProtocolError, match="is no number"):
        run_simulated(dial(number), scripted(READY))


@pytest.mark.parametrize("command", ["ATÄ", "AT\rATD1", "AT\x00"])
def test_what_is_no_command_is_not_sent(command: str) -> None:
    with pytest.raises(LocalProtocolError, match="no modem command"):
        run_simulated(dial("1", [command]), scripted(READY))


@pytest.mark.parametrize("number", ["+49 (30) 123-456", "T0w123,,456", "*21#", "0123@W!5;"])
def test_numbers_come_in_many_forms(number: str) -> None:
    answers = {**READY, f"ATD{number}".encode(): b"CONNECT\r\n"}
    assert run_simulated(dial(number), scripted(answers)).result == "CONNECT"


# in the middle of a call


def ask() -> Procedure[bytes]:
    yield Send(b"/?!\r\n")
    heard = b""
    while not heard.endswith(b"."):
        heard += yield Receive(5)
    return heard


@each_shell
def test_a_carrier_that_holds_is_not_noticed(shell: Shell) -> None:
    assert (
        shell(with_carrier(ask()), scripted({}, meter=b"NO CARRIER is only a text."))
        == b"NO CARRIER is only a text."
    )


@each_shell
@pytest.mark.parametrize(
    "pieces", [[b"12\r\nNO CARRIER\r\n"], [b"12\r\nNO CAR", b"RIER\r\n"], [b"\r\n", b"NO ", b"CARRIER\r\n"]]
)
def test_a_lost_carrier_is_a_failure_of_the_line(shell: Shell, pieces: list[bytes]) -> None:
    def dropping() -> Procedure[None]:
        yield Receive(5)
        for piece in pieces:
            yield Send(piece)
        yield Receive(5)

    with pytest.raises(TransportError, match="lost the carrier"):
        shell(with_carrier(ask()), dropping())


# hanging up


def test_hanging_up_waits_around_the_escape() -> None:
    heard: list[bytes] = []
    done = run_simulated(hang_up(), scripted({b"ATH": b"\r\nOK\r\n"}, heard))
    assert heard == [b"+++", b"ATH\r"]
    assert done.seconds >= 2 * modem.GUARD_S


@pytest.mark.parametrize("answer", [b"\r\nERROR\r\n", b"\r\nNO CARRIER\r\n", b""])
def test_a_modem_that_has_hung_up_already_is_no_error(answer: bytes) -> None:
    run_simulated(hang_up(), scripted({b"ATH": answer}))


def test_a_line_that_is_gone_is_no_error_when_hanging_up(monkeypatch: pytest.MonkeyPatch) -> None:
    near, _ = loopback.blocking_pair()
    near.close()
    run_blocking(hang_up(), near, lambda seconds: None)


def test_a_modem_line_is_dialled_and_hung_up_by_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    from polymeter.transports import tcp

    monkeypatch.setattr(modem, "GUARD_S", 0.0)
    import socket

    heard: list[bytes] = []
    answers = {**READY, b"ATD0123": b"\r\nCONNECT\r\n", b"ATH": b"\r\nOK\r\n"}
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for _ in range(2):
                run_blocking(scripted(answers, heard, b"answer"), tcp.TCP(listening.accept()[0]))

        thread = threading.Thread(target=serve)
        thread.start()
        url = URL.parse(f"iec62056-21+modem://0123?via=tcp://127.0.0.1:{listening.getsockname()[1]}")
        line = urls.open_blocking(url)
        line.send(b"/?!\r\n")
        assert line.receive(5) == b"answer"
        line.close()

        import asyncio

        async def scenario() -> None:
            line = await urls.open_async(url)
            await line.send(b"/?!\r\n")
            assert await line.receive(5) == b"answer"
            await line.close()

        asyncio.run(scenario())
        thread.join()
    said = b"".join(heard)
    assert said.count(b"ATD0123\r") == said.count(b"+++") == said.count(b"ATH\r") == 2
