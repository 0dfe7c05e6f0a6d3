"""Brokers: who may go to them, how safely, and what is said when they are gone."""

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from polymeter.protocols.wire import AccessDenied, LocalProtocolError, TimedOut, TransportError
from polymeter.transports import topics
from polymeter.transports.mqtt import Broker, Message, Subscription, publishing, subscribed
from polymeter.transports.urls import URL
from tests.engines import anyio_backend
from tests.platform import free_port
from tools.services import Mosquitto

pytestmark = pytest.mark.anyio

__all__ = ["anyio_backend"]


@pytest.fixture
def broker(mqtt_url: str) -> Broker:
    return Broker.parse(mqtt_url)


async def quickly(subscription: Subscription) -> list[Message]:
    try:
        async with asyncio.timeout(0.3):
            return await subscription.receive()
    except TimeoutError:
        return []


async def test_a_message_is_given_again_until_it_is_acknowledged(broker: Broker) -> None:
    topic, name = f"again/{uuid4()}", f"test-{uuid4().hex[:12]}"
    async with subscribed(broker, topic, name):
        pass
    async with publishing(broker) as publisher:
        for number in range(5):
            await publisher.publish(topic, b"%d" % number)
    async with subscribed(broker, topic, name) as subscription:
        first = await subscription.receive(at_most=2)
        subscription.acknowledge(first[:1])
    async with subscribed(broker, topic, name) as subscription:
        rest = []
        while len(rest) < 4:
            rest += await subscription.receive()
        subscription.acknowledge(rest)
    assert sorted(one.payload for one in rest) == [b"1", b"2", b"3", b"4"]
    assert all((one.topic, one.retained, one.qos) == (topic, False, 1) for one in rest)
    # A broker may see us come back before it has read all that we acknowledged, and gives the others again.
    again = rest
    while again:
        assert {one.payload for one in again} <= {one.payload for one in rest}
        async with subscribed(broker, topic, name) as subscription:
            again = await quickly(subscription)
            subscription.acknowledge(again)


async def test_a_broker_that_is_not_there_is_a_failure_of_the_line() -> None:
    nobody = Broker("127.0.0.1", free_port())
    with pytest.raises(TransportError, match="cannot reach the broker"):
        async with publishing(nobody):
            pass
    with pytest.raises(TransportError, match="cannot reach the broker"):
        await topics.connect_async(nobody, "x", 5.0)
    with pytest.raises(TransportError, match="cannot reach the broker"):
        await asyncio.to_thread(topics.connect, nobody, "x", 5.0)


async def test_a_topic_gives_one_message_at_a_time(broker: Broker) -> None:
    topic = f"line/{uuid4()}"
    line = await topics.connect_async(broker, topic, 5.0)
    try:
        async with publishing(broker) as publisher:
            for payload in (b"one", b"", b"two"):
                await publisher.publish(topic, payload)
        assert [await line.receive(5.0), await line.receive(5.0)] == [b"one", b"two"]
        with pytest.raises(TimedOut):
            await line.receive(0.05)
        with pytest.raises(LocalProtocolError, match="only be listened to"):
            await line.send(b"x")
        with pytest.raises(LocalProtocolError, match="connect_async"):
            topics.connect(broker, topic, 5.0)
    finally:
        await line.close()
        await line.close()


def test_a_blocking_topic_may_be_closed_twice(broker: Broker) -> None:
    line = topics.connect(broker, f"line/{uuid4()}", 5.0)
    with pytest.raises(TimedOut):
        line.receive(0.05)
    line.close()
    line.close()


# who may go to a broker, and which


def certify(folder: Path) -> None:
    """A certificate that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(made.public_bytes(pem))
    plain = serialization.NoEncryption()
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.TraditionalOpenSSL, plain)
    )


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, mqtt_url: str) -> Iterator[tuple[int, int, Path]]:
    """A broker of our own that wants a password, and one port of it TLS."""
    folder = tmp_path_factory.mktemp("mosquitto")
    plain, secure = free_port(), free_port()
    certify(folder)
    passwords = shutil.which("mosquitto_passwd")
    assert passwords is not None
    subprocess.run([passwords, "-b", "-c", folder / "passwords", "anna", "made up"], check=True)
    (folder / "mosquitto.conf").write_text(
        f"per_listener_settings false\nallow_anonymous false\npassword_file {folder}/passwords\nuser root\n"
        f"listener {plain} 127.0.0.1\n"
        f"listener {secure} 127.0.0.1\ncertfile {folder}/ca.pem\nkeyfile {folder}/key.pem\n"
    )
    process = subprocess.Popen(
        [str(Mosquitto.program()), "-c", str(folder / "mosquitto.conf")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    (folder / "password").write_text("made up\n")
    (folder / "wrong").write_text("a guess\n")
    yield plain, secure, folder
    process.terminate()
    process.wait()


async def connected(broker: Broker) -> None:
    for attempt in range(100):
        try:
            async with subscribed(broker, "x"):
                return
        except TransportError:
            if attempt == 99:
                raise
            await asyncio.sleep(0.05)


async def test_user_and_password_file_open_a_guarded_broker(guarded: tuple[int, int, Path]) -> None:
    plain, secure, folder = guarded
    good = f"127.0.0.1:{plain}/x?user=anna&password_file={folder}/password"
    broker = URL.parse(f"wmbus+mqtt://{good}").broker()
    assert "made up" not in repr(broker)
    await connected(broker)
    await connected(Broker.parse(f"mqtt://anna:made%20up@127.0.0.1:{plain}"))
    tls = f"wmbus+mqtts://localhost:{secure}/x?user=anna&password_file={folder}/password&ca_file={folder}/ca.pem"
    trusted = URL.parse(tls).broker()
    await connected(trusted)
    stranger = URL.parse(tls.partition("&ca_file")[0]).broker()
    with pytest.raises(TransportError, match="certificate"):
        async with subscribed(stranger, "x"):
            pass


async def test_a_wrong_password_is_said(guarded: tuple[int, int, Path]) -> None:
    plain, _, folder = guarded
    await connected(Broker("127.0.0.1", plain, user="anna", password="made up"))
    for more in ("", f"?user=anna&password_file={folder}/wrong"):
        broker = URL.parse(f"wmbus+mqtt://127.0.0.1:{plain}/x{more}").broker()
        with pytest.raises(AccessDenied, match="refuses user"):
            async with subscribed(broker, "x"):
                pass


@pytest.mark.parametrize(
    "text", ["http://h", "mqtt://", "mqtt://h/topic", "mqtt://h:x", "h:1883", "mqtt://h?a=b"]
)
def test_a_setting_that_is_no_broker_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(LocalProtocolError, match="must be mqtt://HOST:PORT") as caught:
        Broker.parse(text)
    assert "topic" not in str(caught.value)


def test_what_is_wrong_with_a_broker_in_an_address_is_said() -> None:
    for text, said in {
        "wmbus+mqtt:///topic": "needs the broker's host",
        "wmbus+mqtt://h/topic?password_file=/nowhere": "cannot read password_file",
    }.items():
        with pytest.raises(LocalProtocolError, match=said):
            URL.parse(text).broker()
