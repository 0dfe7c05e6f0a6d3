"""Reads any utility meter and loses nothing."""
