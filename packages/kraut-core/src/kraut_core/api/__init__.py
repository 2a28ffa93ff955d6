"""kraut's resources as pydantic models; imports nothing but pydantic and the standard library."""
