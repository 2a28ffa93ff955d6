"""Random faults from a seed on a real lab, what became of it as JSON lines, and a checker that shares no code with kraut."""
