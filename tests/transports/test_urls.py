"""Addresses: what they mean, what is wrong with them, and that they keep secrets."""

import asyncio
import contextlib
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.wire import LocalProtocolError, ProtocolError
from polymeter.transports.tcp import TCP
from polymeter.transports.udp import UDP, AsyncUDP
from polymeter.transports.urls import (
    LINE_PARAMETERS,
    SECRET_PARAMETERS,
    URL,
    open_async,
    open_blocking,
    scheme_of,
)


@pytest.mark.parametrize(
    ("text", "scheme", "line", "host", "port", "path"),
    [
        ("p://h:1", "p", "tcp", "h", 1, ""),
        ("p+tcp://h:1", "p", "tcp", "h", 1, ""),
        ("p://h:1?udp", "p", "udp", "h", 1, ""),
        ("p://h:1?udp=yes", "p", "udp", "h", 1, ""),
        ("p://h:1?udp=no", "p", "tcp", "h", 1, ""),
        ("p://h:1?udp=false", "p", "tcp", "h", 1, ""),
        ("p+udp://h:1", "p", "udp", "h", 1, ""),
        ("p://[::1]:1/7", "p", "tcp", "::1", 1, "/7"),
        ("P://H:1", "p", "tcp", "h", 1, ""),
        ("p://h", "p", "tcp", "h", 77, ""),
        ("p+serial:///dev/ttyUSB0?baud=300", "p", "serial", "", None, "/dev/ttyUSB0"),
        ("p+serial:///dev/a%20b", "p", "serial", "", None, "/dev/a b"),
        ("p+rfc2217://h:1", "p", "rfc2217", "h", 1, ""),
        ("p+modem://+49123?via=/dev/ttyS0", "p", "modem", "+49123", None, ""),
        ("p+modem://0123?via=tcp://h:1", "p", "modem", "0123", None, ""),
    ],
)
def test_an_address_is_taken_apart(
    text: str, scheme: str, line: str, host: str, port: int | None, path: str
) -> None:
    url = URL.parse(text, 77)
    assert (url.scheme, url.line, url.host, url.port, url.path) == (scheme, line, host, port, path)
    assert scheme_of(text) == scheme


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "SCHEME://HOST:PORT is expected"),
        ("h:1", "SCHEME://HOST:PORT is expected"),
        ("p+pigeon://h:1", "'pigeon' is no line; there are tcp, udp, serial, rfc2217, modem"),
        ("p://h", "write p://h:PORT"),
        ("p://[::1]", r"write p://\[::1\]:PORT"),
        ("p+rfc2217://h", r"write p\+rfc2217://h:PORT"),
        ("p://:1", "needs a host"),
        ("p://h:x", "no valid host and port"),
        ("p://h:70000", "no valid host and port"),
        ("p://[::1", "no valid host and port"),
        ("p://[nonsense]:1", "no valid host and port"),
        ("p://h:1?a=1&a=2", "parameter 'a' is given twice"),
        ("p+serial://", "needs a device"),
        ("p+modem://0123", "needs \\?via="),
        ("p+modem://?via=/dev/x", "needs a host or number"),
        ("p://h:1#x", "write # in a value as %23"),
        ("p://user@h:1", "no user before @"),
    ],
)
def test_what_is_wrong_with_an_address_is_said(text: str, said: str) -> None:
    with pytest.raises(LocalProtocolError, match=said):
        URL.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "h:1?password=hunter2",
        "p://h:x?password=hunter2",
        "p+pigeon://h:1?password=hunter2",
        "p://u:hunter2@h:1",
        "p://u:hunter2@h:x",
        "u:hunter2@h:1",
        "p://h?key=hunter2",
        "p://h:1?password=hunter2&password=hunter2",
        "p://h:1?password=hunter2#x",
    ],
)
def test_no_error_repeats_a_secret(text: str) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        URL.parse(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", sorted(SECRET_PARAMETERS))
def test_secrets_are_in_no_text_of_an_address(name: str) -> None:
    url = URL.parse(f"p://h:1?{name}=hunter2&address=7")
    assert url.parameters[name] == "hunter2"
    for text in (str(url), repr(url), f"{url}"):
        assert "hunter2" not in text
    assert str(url) == f"p://h:1?{name}=***&address=7"


@pytest.mark.parametrize(
    "text",
    [
        "p://h:1",
        "p://h:1?udp=yes",
        "p+udp://h:1",
        "p://[::1]:1/7?a=b",
        "p+serial:///dev/x?baud=300",
        "p+rfc2217://h:1",
    ],
)
def test_an_address_without_secrets_is_its_own_text(text: str) -> None:
    assert str(URL.parse(text)) == text


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="&#%"), min_size=1))
def test_a_password_is_taken_as_it_is_written(password: str) -> None:
    assert URL.parse(f"p://h:1?password={password}").parameters["password"] == password


def test_a_plus_is_a_plus() -> None:
    url = URL.parse("p+modem://0123?via=/dev/x&init=AT+CBST=71;ATE0&password=a+b%20c%26d")
    assert url.parameters["init"] == "AT+CBST=71;ATE0"
    assert url.parameters["password"] == "a+b c&d"


@pytest.mark.parametrize("text", ["x", "", "nan", "inf", "-1", "1e10", "0x10"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(LocalProtocolError, match="parameter timeout must be"):
        URL.parse(f"p://h:1?timeout={text}").number("timeout", 10)


def test_numbers_and_choices_have_defaults() -> None:
    url = URL.parse("p://h:1?a=2.5&b=x")
    assert (url.number("a", 1), url.number("z", 7)) == (2.5, 7)
    assert (url.choice("b", "y", ("x", "y")), url.choice("z", "y", ("x", "y"))) == ("x", "y")
    with pytest.raises(LocalProtocolError, match="b must be one of 1, 2, not 'x'"):
        url.choice("b", "1", ("1", "2"))


def test_a_parameter_that_nobody_knows_is_refused_with_those_there_are() -> None:
    with pytest.raises(LocalProtocolError, match=r"p has no parameter 'pasword'; there are baud.*password"):
        URL.parse("p://h:1?pasword=hunter2").refuse_unknown({"password": ""})
    URL.parse("p://h:1?" + "&".join(f"{name}=1" for name in LINE_PARAMETERS)).refuse_unknown({})


@given(st.text(max_size=60))
def test_no_text_raises_anything_foreign(text: str) -> None:
    for address in (text, "p://" + text, "p+modem://" + text, "p://h:1?" + text):
        with contextlib.suppress(LocalProtocolError):
            str(URL.parse(address, 1))


# opening


def test_the_line_of_an_address_is_opened() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        for text, kind in ((f"p://127.0.0.1:{port}", TCP), (f"p://127.0.0.1:{port}?udp", UDP)):
            line = open_blocking(URL.parse(text))
            assert isinstance(line, kind)
            line.close()

        async def scenario() -> None:
            line = await open_async(URL.parse(f"p://127.0.0.1:{port}?udp"))
            assert isinstance(line, AsyncUDP)
            await line.close()

        asyncio.run(scenario())


@pytest.mark.parametrize(
    "text",
    [
        "p+serial:///dev/no-such-port?baud=nan",
        "p+serial:///dev/no-such-port?bits=x",
        "p+serial:///dev/no-such-port?parity=Q",
        "p+serial:///dev/no-such-port",
        "p+modem://0123?via=pigeon",
        "p+modem://0123?via=tcp://nowhere",
        "p+modem://0123?via=/dev/no-such-port",
        "p+modem://number?via=tcp://127.0.0.1:9",
        "p+rfc2217://127.0.0.1:9",
        "p://127.0.0.1:9?timeout=nan",
    ],
)
def test_a_line_that_cannot_be_opened_is_told(text: str) -> None:
    url = URL.parse(text)
    with pytest.raises(ProtocolError):
        open_blocking(url)
    with pytest.raises(ProtocolError):
        asyncio.run(open_async(url))
