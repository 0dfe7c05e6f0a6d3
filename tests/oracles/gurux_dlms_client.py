"""Reads a meter with gurux-dlms and prints what it read; runs in an interpreter of its own.

A JSON object on stdin says where and how; what the library cannot do is given with
its error. Only the library's public interface is used.
"""

import json
import socket
import sys
from datetime import UTC, datetime

from gurux_dlms import GXByteBuffer, GXDateTime, GXReplyData
from gurux_dlms.enums import Authentication, InterfaceType, Security
from gurux_dlms.objects import GXDLMSClock, GXDLMSProfileGeneric, GXDLMSRegister
from gurux_dlms.secure import GXDLMSSecureClient


class Reader:
    """The library's client and a socket."""

    def __init__(self, wish):
        hdlc = wish["framing"] == "hdlc"
        server = wish["server"]
        if hdlc and wish.get("physical"):
            server = GXDLMSSecureClient.getServerAddress(wish["server"], wish["physical"], 4)
        kinds = {"none": Authentication.NONE, "low": Authentication.LOW, "gmac": Authentication.HIGH_GMAC}
        self.client = GXDLMSSecureClient(
            True,
            wish["client"],
            server,
            kinds[wish["auth"]],
            wish.get("password"),
            InterfaceType.HDLC if hdlc else InterfaceType.WRAPPER,
        )
        if wish["auth"] == "gmac":
            ciphering = self.client.ciphering
            ciphering.security = Security.AUTHENTICATION_ENCRYPTION
            ciphering.systemTitle = bytes.fromhex(wish["title"])
            ciphering.blockCipherKey = bytes.fromhex(wish["key"])
            ciphering.authenticationKey = bytes.fromhex(wish["auth_key"])
        self.socket = socket.create_connection((wish["host"], wish["port"]), 20)

    def packet(self, data, reply):
        if not data:
            return
        self.socket.sendall(bytes(data))
        received, notify = GXByteBuffer(), GXReplyData()
        reply.error = 0
        while not self.client.getData(received, reply, notify):
            more = self.socket.recv(65536)
            if not more:
                raise RuntimeError("the meter closed the line")
            received.set(more)
        if reply.error:
            raise RuntimeError(f"error {reply.error}")

    def block(self, data):
        reply = GXReplyData()
        for part in data if isinstance(data, list) else [data]:
            reply.clear()
            self.packet(part, reply)
            while reply.isMoreData():
                self.packet(None if reply.isStreaming() else self.client.receiverReady(reply), reply)
        return reply

    def associate(self):
        request = self.client.snrmRequest()
        if request:
            self.client.parseUAResponse(self.block(request).data)
        self.client.parseAareResponse(self.block(self.client.aarqRequest()).data)
        if self.client.authentication > Authentication.LOW:
            reply = self.block(self.client.getApplicationAssociationRequest())
            self.client.parseApplicationAssociationResponse(reply.data)

    def read(self, target, attribute):
        reply = self.block(self.client.read(target, attribute))
        return self.client.updateValue(target, attribute, reply.value)

    def release(self):
        self.block(self.client.releaseRequest())
        self.block(self.client.disconnectRequest())
        self.socket.close()


def instant(value):
    moment = value.value if isinstance(value, GXDateTime) else value
    return moment.astimezone(UTC).isoformat() if isinstance(moment, datetime) else str(moment)


def table(buffer):
    return [[instant(row[0]), *(int(value) for value in row[1:])] for row in buffer]


def main():
    wish = json.load(sys.stdin)
    answer, sys.stdout = sys.stdout, sys.stderr  # the library prints what it ciphers
    reader = Reader(wish)
    result = {}
    reader.associate()
    reply = reader.block(reader.client.getObjectsRequest())
    objects = reader.client.parseObjects(reply.data, False)
    result["objects"] = sorted([int(one.objectType), one.logicalName] for one in objects)
    register = GXDLMSRegister(wish["register"])
    reader.read(register, 3)
    result["register"] = str(reader.read(register, 2))
    result["scaler"] = register.scaler
    result["unit"] = int(register.unit)
    result["clock"] = instant(reader.read(GXDLMSClock("0.0.1.0.0.255"), 2))
    profile = GXDLMSProfileGeneric(wish["profile"])
    reader.read(profile, 3)
    result["columns"] = [one[0].logicalName for one in profile.captureObjects]
    start, end = (datetime.fromisoformat(wish[name]) for name in ("start", "end"))
    reply = reader.block(reader.client.readRowsByRange(profile, start, end))
    result["by_range"] = table(reader.client.updateValue(profile, 2, reply.value))
    profile.buffer = []
    count = wish["last"] - wish["first"] + 1
    reply = reader.block(reader.client.readRowsByEntry(profile, wish["first"], count))
    result["by_entry"] = table(reader.client.updateValue(profile, 2, reply.value))
    reader.release()
    print(json.dumps(result), file=answer)


main()
