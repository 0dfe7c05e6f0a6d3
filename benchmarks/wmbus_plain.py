"""Wireless telegrams that are not encrypted: header and records to values."""

from benchmarks._wmbus import contenders

__all__ = ["CONTENDERS", "SUMMARY"]

SUMMARY = "decode every plain telegram, one iteration is one pass over all of them"
CONTENDERS = contenders(encrypted=False)
