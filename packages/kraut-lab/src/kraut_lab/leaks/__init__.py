"""Search for secrets where none may be (fault matrix: I7); shares nothing with what it searches."""
