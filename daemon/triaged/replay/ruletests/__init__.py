"""Tests of rules: read from `tests/*.yaml`, played through the real intake in virtual time, reported."""
