"""Benchmarks, each with the peers it is measured against: ``python3 dev.py bench [NAME]``.

A module declares ``SUMMARY`` and ``CONTENDERS``; see `tools.bench_worker.Contender`. The first one is ours.
"""
