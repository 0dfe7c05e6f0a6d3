"""What ``dev.py`` needs: environment, test services, checks, benchmarks, fuzzing.

Modules that run before ``.venv`` exists (`environment`, `debian`) use only the standard library.
"""
