"""What wire and radio share of encryption; the rest is tested with radio."""

import subprocess
import sys

from polymeter.protocols.mbus import security


def test_the_vector_is_maker_address_and_access_number() -> None:
    assert security.iv_mode5(bytes(range(8)), 0x2A).hex() == "0001020304050607" + "2a" * 8


def test_cbc_by_the_example_of_nist() -> None:
    """NIST SP 800-38A, F.2.2."""
    key, vector = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"), bytes(range(16))
    sealed = bytes.fromhex("7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2")
    plain = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    assert security.decrypt_cbc(key, vector, sealed).hex() == plain
    assert security.decrypt_cbc(key, vector, b"") == b""


def test_the_library_is_loaded_when_the_first_telegram_is_sealed() -> None:
    program = (
        "import sys; from polymeter.protocols.mbus import security; "
        "print('cryptography' in sys.modules); "
        "security.decrypt_cbc(bytes(16), bytes(16), bytes(16)); print('cryptography' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
