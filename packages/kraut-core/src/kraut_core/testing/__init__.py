"""Tools for tests of kraut's processes; nothing of it is imported in production."""
