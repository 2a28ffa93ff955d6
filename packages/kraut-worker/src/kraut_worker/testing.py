"""Doubles for tests of the worker and of what builds on it; typed, and checked against the real thing in this package's tests."""
