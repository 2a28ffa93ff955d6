"""Search for secrets where none may be (reliability.md: U22, I7); shares nothing with what it searches."""
