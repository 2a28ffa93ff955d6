"""``kraut host``: add, import, test."""
