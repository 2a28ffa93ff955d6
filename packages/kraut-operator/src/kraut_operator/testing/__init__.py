"""Doubles for the operator's own tests, and the operator with crash points; nothing here is used in production."""
