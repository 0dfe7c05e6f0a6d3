"""Tests mirror the packages they test, path for path."""
