"""Decisions about hosts: pure functions over what was observed. Nothing here awaits, reads a clock or knows Temporal."""
