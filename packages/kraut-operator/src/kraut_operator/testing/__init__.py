"""The operator with crash points (``testing.crash_points``)."""
