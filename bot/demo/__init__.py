"""The whole line on one machine: a stand-in for GitHub, a sample repository, and the demo that runs them.

It ships with the package, so that `winparity demo` works wherever winparity is installed; the tests use the same
stand-in and make it strict (tests/bot/conftest.py).
"""
