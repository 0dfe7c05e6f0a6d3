"""The states of an association and what moves it from one to the other, for both ends.

IEC 62056-5-3 § 7: link, association, proof of the secret (HLS), services, release.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from polymeter.protocols.dlms.acse import AARE, AARQ, ACSE, RLRE, RLRQ, Mechanism
from polymeter.protocols.dlms.apdus import (
    APDU,
    ActionResponseNormal,
    ActionResult,
    ConfirmedServiceError,
    DataNotification,
    EventNotificationRequest,
    ExceptionResponse,
    InformationReportRequest,
)
from polymeter.protocols.dlms.hdlc_link import End, LinkDown, LinkUp

__all__ = ["TRANSITIONS", "Connect", "Disconnect", "Event", "Notification", "kind_of"]

AUTHENTICATION_REQUIRED: Final = 14
"""The diagnostic with which an AARE asks for the proof of the secret."""


@dataclass(frozen=True, slots=True)
class Connect:
    """The client opens the data link (SNRM; nothing for the wrapper)."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """The client closes the data link (DISC)."""


Event = APDU | ACSE | LinkUp | LinkDown | Connect | Disconnect
Notification = DataNotification | EventNotificationRequest | InformationReportRequest

_ALWAYS: Final[dict[tuple[End, str], str]] = {
    ("client", "connect"): "linking",
    ("client", "disconnect"): "unlinking",
    ("server", "link up"): "no association",
    ("server", "link down"): "no link",
}
_WITH_LINK: Final[dict[tuple[End, str], str]] = {**_ALWAYS, ("client", "AARQ"): "associating"}

TRANSITIONS: Final[dict[str, dict[tuple[End, str], str]]] = {
    "no link": _ALWAYS,
    "linking": _ALWAYS,
    "unlinking": _ALWAYS,
    "no association": {
        **_WITH_LINK,
        ("client", "RLRQ"): "releasing",
        ("server", "refusal"): "no association",
    },
    "associating": {
        **_WITH_LINK,
        ("server", "AARE accepting"): "associated",
        ("server", "AARE asking for proof"): "HLS pending",
        ("server", "AARE refusing"): "no association",
        ("server", "refusal"): "no association",
    },
    "HLS pending": {
        **_WITH_LINK,
        ("client", "request"): "HLS pending",
        ("client", "RLRQ"): "releasing",
        ("server", "success"): "associated",
        ("server", "response"): "no association",
        ("server", "refusal"): "no association",
    },
    "associated": {
        **_WITH_LINK,
        ("client", "request"): "associated",
        ("client", "RLRQ"): "releasing",
        ("server", "success"): "associated",
        ("server", "response"): "associated",
        ("server", "refusal"): "associated",
    },
    "releasing": {
        **_WITH_LINK,
        ("client", "RLRQ"): "releasing",
        ("server", "RLRE"): "no association",
        ("server", "refusal"): "no association",
    },
}
"""State, then who says what, then the state after it. Notifications may come in every state and
change none."""


def kind_of(event: Event, sender: End) -> str:
    """What the table calls an event."""
    match event:
        case Connect():
            return "connect"
        case Disconnect():
            return "disconnect"
        case LinkUp():
            return "link up"
        case LinkDown():
            return "link down"
        case AARQ():
            return "AARQ"
        case AARE(result=0) if (
            event.mechanism not in (Mechanism.NONE, Mechanism.LLS)
            or event.diagnostic == AUTHENTICATION_REQUIRED
        ):
            return "AARE asking for proof"
        case AARE(result=0):
            return "AARE accepting"
        case AARE():
            return "AARE refusing"
        case RLRQ() | RLRE():
            return event.TITLE
        case DataNotification() | EventNotificationRequest() | InformationReportRequest():
            return "notification"
        case ExceptionResponse() | ConfirmedServiceError():
            return "refusal"
        case ActionResponseNormal(response=response) if response.result == ActionResult.SUCCESS:
            return "success"
        case _:
            return "request" if sender == "client" else "response"
