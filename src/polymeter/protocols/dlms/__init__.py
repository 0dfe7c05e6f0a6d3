"""DLMS/COSEM (IEC 62056): the language of most smart meters.

The byte side: values (`data`, `axdr`, `times`), APDUs (`apdus`, `acse`), frames (`hdlc`, `wrapper`,
`mbus_frames`), protection (`security`, `authentication`, `counters`), and what values mean
(`profiles`, `notifications`).
"""

from polymeter.protocols.dlms.decode import PROTOCOL, decode, detect

__all__ = ["PROTOCOL", "decode", "detect"]
