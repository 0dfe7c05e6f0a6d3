"""Reads a meter with dlms-cosem and prints what it read; runs in an interpreter of its own.

A JSON object on stdin says where and how; what the library cannot do is given with
its error. Only the library's public interface is used; HDLC goes through pyserial's socket line.
"""

import json
import sys
from datetime import UTC, datetime

import serial
from dlms_cosem import cosem, enumerations, time, utils
from dlms_cosem.clients.dlms_client import DlmsClient
from dlms_cosem.clients.hdlc_transport import SerialHdlcTransport
from dlms_cosem.cosem import selective_access
from dlms_cosem.cosem.capture_object import CaptureObject

KINDS = {
    "none": enumerations.AuthenticationMechanism.NONE,
    "low": enumerations.AuthenticationMechanism.LLS,
    "gmac": enumerations.AuthenticationMechanism.HLS_GMAC,
}


def make_client(wish):
    settings = {
        "client_logical_address": wish["client"],
        "server_logical_address": wish["server"],
        "authentication_method": KINDS[wish["auth"]] if wish["auth"] != "none" else None,
        "password": wish["password"].encode() if wish.get("password") else None,
        "block_transfer": True,
    }
    if wish["auth"] == "gmac":
        settings["encryption_key"] = bytes.fromhex(wish["key"])
        settings["authentication_key"] = bytes.fromhex(wish["auth_key"])
        settings["client_system_title"] = bytes.fromhex(wish["title"])
    if wish["framing"] == "wrapper":
        return DlmsClient.with_tcp_transport(wish["host"], wish["port"], **settings)
    line = serial.serial_for_url(f"socket://{wish['host']}:{wish['port']}", timeout=20)
    transport = SerialHdlcTransport(
        client_logical_address=wish["client"],
        server_logical_address=wish["server"],
        server_physical_address=wish.get("physical"),
        serial_port="unused",
        serial=line,
    )
    return DlmsClient(io_interface=transport, **settings)


def attribute(interface, name, number):
    obis = cosem.Obis(*(int(part) for part in name.split(".")))
    return cosem.CosemAttribute(enumerations.CosemInterface(interface), obis, number)


def instant(octets):
    return time.datetime_from_bytes(octets)[0].astimezone(UTC).isoformat()


def table(octets):
    return [[instant(bytes(row[0])), *row[1:]] for row in utils.parse_as_dlms_data(octets)]


def attempt(result, name, work):
    try:
        result[name] = work()
    except Exception as error:
        result.setdefault("errors", {})[name] = f"{type(error).__name__}: {error}"


def main():
    wish = json.load(sys.stdin)
    client = make_client(wish)
    result = {}
    client.connect()
    client.associate()

    def objects():
        found = utils.parse_as_dlms_data(client.get(attribute(15, "0.0.40.0.0.255", 2)))
        return sorted([one[0], ".".join(str(octet) for octet in one[2])] for one in found)

    def register():
        value = utils.parse_as_dlms_data(client.get(attribute(3, wish["register"], 2)))
        result["scaler_unit"] = utils.parse_as_dlms_data(client.get(attribute(3, wish["register"], 3)))
        return str(value)

    def clock():
        return instant(bytes(utils.parse_as_dlms_data(client.get(attribute(8, "0.0.1.0.0.255", 2)))))

    def columns():
        found = utils.parse_as_dlms_data(client.get(attribute(7, wish["profile"], 3)))
        return [".".join(str(octet) for octet in one[1]) for one in found]

    def by_range():
        restricting = CaptureObject(attribute(8, "0.0.1.0.0.255", 2))
        start, end = (datetime.fromisoformat(wish[name]) for name in ("start", "end"))
        access = selective_access.RangeDescriptor(restricting, start, end)
        return table(client.get(attribute(7, wish["profile"], 2), access))

    def by_entry():
        access = selective_access.EntryDescriptor(wish["first"], wish["last"])
        return table(client.get(attribute(7, wish["profile"], 2), access))

    for work in (objects, register, clock, columns, by_range, by_entry):
        attempt(result, work.__name__, work)

    def release():
        client.release_association()
        client.disconnect()
        return True

    if "by_entry" not in result.get("errors", {}):
        attempt(result, "release", release)
    print(json.dumps(result))


main()
