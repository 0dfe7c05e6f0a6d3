"""Wireless telegrams of security mode 5: deciphered, checked for the right key, read to values."""

from benchmarks._wmbus import contenders

__all__ = ["CONTENDERS", "SUMMARY"]

SUMMARY = "decipher and decode every telegram of mode 5, one iteration is one pass over all of them"
CONTENDERS = contenders(encrypted=True)
