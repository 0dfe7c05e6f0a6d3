"""APDUs while they are being unwrapped: envelopes, blocks, associations, and at last records.

`Contents` gathers what one message gives. A layer is a run of bytes with offsets of its own; every
error and every record says in which one it stands.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from polymeter.protocols.dlms import apdus, axdr
from polymeter.protocols.dlms.acse import AARE, AARQ, ACSE, decode_acse
from polymeter.protocols.dlms.apdus import APDU, DataAccessResult, decode_apdu
from polymeter.protocols.dlms.apdus.descriptors import GET_RESULT
from polymeter.protocols.dlms.apdus.fields import DATA, Cursor, Kind, ListOf
from polymeter.protocols.dlms.conversation import Conversation
from polymeter.protocols.dlms.counters import accept, counter_id
from polymeter.protocols.dlms.data import Item
from polymeter.protocols.dlms.irregular import read_irregular
from polymeter.protocols.dlms.notifications import attribute_records, records
from polymeter.protocols.dlms.opening import open_envelope
from polymeter.protocols.dlms.security import read_header, sender_title
from polymeter.protocols.dlms.times import instant
from polymeter.protocols.wire import (
    AccessDenied,
    LocalProtocolError,
    Problem,
    Record,
    RemoteProtocolError,
    Seal,
    Tree,
)

__all__ = ["Contents"]

_DEEPEST: Final = 6
_REQUESTS: Final = frozenset((0x01, 0x05, 0x06, 0xC0, 0xC1, 0xC3))
"""What clients say: under the client's system title."""
_RESULTS: Final = ListOf(GET_RESULT)


class Contents:
    """What one message gives, while it is being unwrapped."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.options = conversation.options
        self.layers = 1
        self.name = ""
        self.records: list[Record] = []
        self.errors: list[Problem] = []
        self.broken = False
        self.encrypted = False
        self.title = b""
        self.seals: list[Seal] = []
        self.apdu: APDU | ACSE | None = None

    def fail(self, error: RemoteProtocolError | AccessDenied, layer: int) -> None:
        """Note an error; bytes that break the protocol make the message invalid."""
        if isinstance(error, RemoteProtocolError):
            self.broken = True
        self.errors.append(Problem(str(error), error.offset, layer))

    def layer(self, tree: Tree | None, name: str, data: bytes) -> tuple[Tree | None, int]:
        """A further layer, shown below what the tree holds last."""
        self.layers += 1
        return tree.layer(name, data, name) if tree is not None else None, self.layers - 1

    def read(self, data: bytes, tree: Tree | None, layer: int, depth: int = 0) -> None:
        """Unwrap the APDU that a layer is. Errors end this layer, not the message."""
        open_groups = tree.depth() if tree is not None else 0
        try:
            self._apdu(data, tree, layer, depth)
        except (RemoteProtocolError, AccessDenied) as error:
            self.fail(error, layer)
            if tree is not None:
                tree.unwind(open_groups, 0)
        except LocalProtocolError as error:  # a key of the wrong length, say
            self.errors.append(Problem(str(error), 0, layer))

    def _apdu(self, data: bytes, tree: Tree | None, layer: int, depth: int) -> None:
        if depth > _DEEPEST:
            raise RemoteProtocolError(f"more than {_DEEPEST} envelopes within each other", 0)
        if not data:
            raise RemoteProtocolError("an empty APDU", 0)
        if 0x60 <= data[0] <= 0x63:
            self._association(decode_acse(data, tree), tree, depth)
            return
        apdu = self._decode(data, tree, layer)
        if apdu is None:
            return
        if not self.name or depth:
            self.name = apdu.TITLE
        self.apdu = apdu
        match apdu:
            case apdus.GeneralBlockTransfer():
                self._block(apdu, tree, depth)
            case apdus.GeneralGloCiphering(title, content) | apdus.GeneralDedCiphering(title, content):
                # Who sends it, client or meter, only the title tells; an empty one is the meter's.
                title = title or sender_title(b"", self.conversation.server_title)
                self._envelope(title, content, data, tree, layer, depth)
            case apdus.ServiceCiphering(service, content):
                from_client = service in _REQUESTS
                title = self.conversation.client_title if from_client else self.conversation.server_title
                self._envelope(title, content, data, tree, layer, depth)
            case apdus.GeneralCiphering(_, title, _, _, _, _, content):
                title = title or sender_title(b"", self.conversation.server_title)
                self._envelope(title, content, data, tree, layer, depth, apdu)
            case apdus.GeneralSigning(content=content):
                self.title = apdu.originator_system_title
                self._signed(content, tree, depth)
            case _:
                self._values(apdu, data, tree, layer)

    def _decode(self, data: bytes, tree: Tree | None, layer: int) -> APDU | None:
        """The APDU, or `None` when it was read by a way of its own."""
        if tree is None:
            try:
                return decode_apdu(data)
            except RemoteProtocolError:
                if self._by_other_rules(data, None, layer):
                    return None
                raise
        # What the tree was told before an error cannot be taken back: the rules are tried first.
        try:
            decode_apdu(data)
        except RemoteProtocolError:
            if self._by_other_rules(data, tree, layer):
                return None
        return decode_apdu(data, tree)

    def _by_other_rules(self, data: bytes, tree: Tree | None, layer: int) -> bool:
        """Read what is no APDU by the book, if it can be understood."""
        found = read_irregular(data, tree)
        if found is None:
            return False
        self.name = "data-notification" if found.is_notification else "value"
        self._own_time(found.moment, data, found.body.start, layer)
        self.records += records(found.body, data, found.moment, layer)
        return True

    # Envelopes

    def _envelope(
        self,
        title: bytes,
        content: bytes,
        data: bytes,
        tree: Tree | None,
        layer: int,
        depth: int,
        envelope: apdus.GeneralCiphering | None = None,
    ) -> None:
        header = read_header(content)
        start = len(data) - len(content)
        if tree is not None:
            # The contents are the last leaf; show what is in it.
            leaf = tree.root.children.pop()
            tree.leaf("security control", start, start + 1, header.control, str(header))
            tree.leaf("invocation counter", start + 1, start + 5, header.invocation_counter)
            end = leaf.offset + leaf.length
            tag = 12 if header.authenticated and end - start - 5 >= 12 else 0
            if end - tag > start + 5:
                tree.leaf("ciphertext" if header.encrypted else "plaintext", start + 5, end - tag)
            if tag:
                tree.leaf("authentication tag", end - tag, end)
        self.encrypted = self.encrypted or header.encrypted
        self.title = title or self.title
        try:
            opened = open_envelope(self.options, title, content, header, envelope)
        except AccessDenied as error:
            raise AccessDenied(str(error), start) from error
        counter = counter_id(title, opened.key)
        verified = opened.verified if header.authenticated else None
        self.seals.append(Seal(*counter, header.invocation_counter, verified))
        if opened.verified:
            try:
                accept(self.conversation.counters, counter, header.invocation_counter)
            except AccessDenied as error:
                self.errors.append(Problem(str(error), start + 1, layer))
        below, number = self.layer(tree, "plaintext", opened.plaintext)
        if header.authenticated and not opened.verified and below is not None:
            below.root.meaning = "unverified: no authentication key"
        self.read(opened.plaintext, below, number, depth + 1)
        if below is not None:
            below.finish(meaning=below.root.meaning)

    def _signed(self, content: bytes, tree: Tree | None, depth: int) -> None:
        """What is signed can be read by anybody; whose signature it is cannot be told yet."""
        below, number = self.layer(tree, "signed", content)
        self.read(content, below, number, depth + 1)
        if below is not None:
            below.finish(meaning="unverified: signatures are not checked")

    # Blocks, associations

    def _block(self, block: apdus.GeneralBlockTransfer, tree: Tree | None, depth: int) -> None:
        if not block.block_data and block.last_block:
            return  # an acknowledgement
        data = self.conversation.transferred(block)
        if data is None:
            return
        below, number = self.layer(tree, "blocks", data)
        self.read(data, below, number, depth + 1)
        if below is not None:
            below.finish()

    def _association(self, value: ACSE, tree: Tree | None, depth: int) -> None:
        self.apdu = value
        self.name = value.TITLE
        match value:
            case AARQ(ap_title=title):
                self.conversation.client_title = title or b""
            case AARE(ap_title=title):
                self.conversation.server_title = title or b""
                self.title = title or b""
                if value.refusal is not None:
                    self.errors.append(Problem(value.refusal, 0, self.layers - 1))
        if value.user_information:
            below, number = self.layer(tree, "user information", value.user_information)
            self.read(value.user_information, below, number, depth + 1)
            if below is not None:
                below.finish()
        self.name = value.TITLE

    # Values

    def _values(self, apdu: APDU, data: bytes, tree: Tree | None, layer: int) -> None:
        match apdu:
            case apdus.DataNotification(body=body):
                item = axdr.parse(data, len(data) - len(body.encoded))
                moment = apdu.moment()
                self._own_time(moment, data, item.start, layer)
                self.records += records(item, data, moment, layer)
            case apdus.EventNotificationRequest(date_time, attribute, value):
                item = axdr.parse(data, len(data) - len(value.encoded))
                self._named(attribute, item, data, layer, date_time or b"")
            case apdus.InformationReportRequest(time, variables, values):
                at = len(data) - sum(len(value.encoded) for value in values)
                for index, _ in enumerate(values):
                    item = axdr.parse(data, at)
                    at = item.end
                    name = variables[index] if index < len(variables) else None
                    prefix = f"short name {getattr(name, 'name', index + 1)}"
                    for record in records(item, data, instant(time or b""), layer):
                        self.records.append(record._replace(name=f"{prefix} {record.name}"))
            case apdus.GetRequestNormal(_, attribute, selection):
                self.conversation.asked = (apdus.SelectedAttribute(attribute, selection),)
            case apdus.GetRequestWithList(_, attributes):
                self.conversation.asked = attributes
            case apdus.GetResponseNormal(_, result):
                self._result(result, 0, data, 4 if not isinstance(result, int) else 3, layer)
            case apdus.GetResponseWithList(_, results):
                self._results(results, data, 3, layer)
            case apdus.GetResponseWithDatablock():
                self._datablock(apdu, tree, layer)
            case apdus.ReadResponse(results):
                self._results(results, data, 1, layer)
            case apdus.ActionResponseNormal(_, response):
                if response.result:
                    self.errors.append(Problem(f"the meter refuses: {_words(response.result)}", 3, layer))
                elif not isinstance(response.returned, int | None):
                    self._result(
                        response.returned, 0, data, len(data) - len(response.returned.encoded), layer
                    )
            case apdus.ExceptionResponse() | apdus.ConfirmedServiceError():
                self.errors.append(Problem(f"the meter refuses: {apdu}", 1, layer))
            case apdus.SetResponseNormal(_, result) if result:
                self.errors.append(Problem(f"the meter refuses: {_words(result)}", 3, layer))
            case _:
                pass

    def _own_time(self, moment: datetime | None, data: bytes, end: int, layer: int) -> None:
        """A notification's own time is a value like others; it stands right before the body."""
        if moment is not None:
            start = end - 12
            raw = data[start:end]
            name = "notification time"
            self.records.append(
                Record(name, moment, quantity="time", time=moment, layer=layer, offset=start, raw=raw)
            )

    def _results(self, results: tuple[Any, ...], data: bytes, at: int, layer: int) -> None:
        """Results one after the other; `at` is where their count stands."""
        at += 1 if data[at] < 0x80 else 1 + (data[at] & 0x7F)
        for index, result in enumerate(results):
            self._result(result, index, data, at + 1, layer)
            at += 2 if isinstance(result, int) else 1 + len(getattr(result, "encoded", b""))

    def _result(self, result: Any, index: int, data: bytes, at: int, layer: int) -> None:
        """One result of a GET or READ; a value stands at `at`."""
        if isinstance(result, int):
            self.errors.append(Problem(f"the meter refuses: {_words(result)}", at, layer))
        elif isinstance(result, axdr.Data):
            asked = self.conversation.asked
            item = axdr.parse(data, at)
            if index < len(asked):
                self._named(asked[index].attribute, item, data, layer)
            else:
                self.records += records(item, data, None, layer)

    def _named(
        self,
        attribute: apdus.AttributeDescriptor,
        item: Item,
        data: bytes,
        layer: int,
        date_time: bytes = b"",
    ) -> None:
        class_id, code, number = attribute
        moment = instant(date_time)
        self.records += attribute_records(code, number, item, data, moment, layer, class_id)

    def _datablock(self, block: apdus.GetResponseWithDatablock, tree: Tree | None, layer: int) -> None:
        """A block of a long answer; the last one completes the value, or the list of results."""
        conversation = self.conversation
        if isinstance(block.result, int):
            conversation.forget_answer()
            self.errors.append(Problem(f"the meter refuses: {_words(block.result)}", 8, layer))
            return
        data = conversation.answered(block, block.result)
        if data is None:
            return
        below, number = self.layer(tree, "blocks", data)
        several = len(conversation.asked) > 1
        try:
            whole = _whole(data, _RESULTS if several else DATA, below)
            if several:
                self._results(whole, data, 0, number)
            else:
                self._result(whole, 0, data, 0, number)
        except RemoteProtocolError as error:
            self.fail(error, number)
        if below is not None:
            below.finish()


def _whole(data: bytes, kind: Kind, tree: Tree | None) -> Any:
    """What all of `data` is."""
    cursor = Cursor(data, 0, tree)
    value = kind.read(cursor, "result")
    if cursor.pos != len(data):
        raise RemoteProtocolError(f"{len(data) - cursor.pos} octets after the value", cursor.pos)
    return value


def _words(code: int) -> str:
    known = code in DataAccessResult.__members__.values()
    return DataAccessResult(code).name.lower().replace("_", " ") if known else f"code {code}"
