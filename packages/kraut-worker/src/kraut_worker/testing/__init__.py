"""Doubles (``testing.doubles``), scenes for decisions (``testing.scenes``) and the worker with crash points (``testing.crash_points``)."""

from kraut_worker.testing.doubles import (
    Reply,
    ScriptedConnector,
    ScriptedShell,
    Transcript,
    UnscriptedError,
    load_transcripts,
    read_as_json,
)

__all__ = [
    "Reply",
    "ScriptedConnector",
    "ScriptedShell",
    "Transcript",
    "UnscriptedError",
    "load_transcripts",
    "read_as_json",
]
