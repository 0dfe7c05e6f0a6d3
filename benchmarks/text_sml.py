"""Reading an SML frame of seven list entries, as an optical head hears it every second or so.

Both sides get the bytes of one whole frame, check its check sums and give the entries of its list. Ours
gives scaled decimals with OBIS codes and units; smllib gives entries whose values it scales when asked.
"""

from typing import Any

from tools.bench_worker import Contender, Work

__all__ = ["CONTENDERS", "FRAME", "SUMMARY"]

SUMMARY = "read an SML frame of 7 values"
FRAME = bytes.fromhex(
    "1b1b1b1b0101010176050000000162006200726301017601010300010b06504d5801027158205172620165000003e801"
    "632b4d00760500000002620062007263070177010b06504d58010271582051070100620affff72620165000003e87777"
    "078181c78203ff0101010104504d580177070100000009ff010101010b06504d580102715820510177070100010800ff"
    "63008201621e52ff560007ef52f10177070100010801ff0101621e52ff560007ef52f10177070100010802ff0101621e"
    "52ff56000000000001770701000f0700ff0101621b52ff55000005720177078181c78205ff0101010183026465666768"
    "696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f90919293010101632b"
    "fb007605000000036200620072630201710163a8e60000001b1b1b1b1a02287e"
)
"""Open, list and close, in the layout of an EDL40 meter with tariffs and public key."""


def _ours() -> Work:
    from polymeter.protocols import sml

    decode = sml.decode
    frames = decode(FRAME, explain=False)
    assert [frame.valid for frame in frames] == [True], frames
    return Work(lambda: decode(FRAME, explain=False), f"{len(frames[0].records)} values")


def _peer() -> Work:
    from smllib import SmlStreamReader  # type: ignore[import-not-found]

    def read() -> Any:
        stream = SmlStreamReader()
        stream.add(FRAME)
        return stream.get_frame().parse_frame()

    values = sum(len(getattr(message.message_body, "val_list", None) or ()) for message in read())
    return Work(read, f"{values} values")


CONTENDERS = [
    Contender("polymeter", _ours, distribution="polymeter"),
    Contender("smllib", _peer, distribution="smllib", requirements=("smllib==1.7",)),
]
