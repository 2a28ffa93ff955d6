"""How objects are written to stdout (pure): tables, JSON, YAML, names."""
