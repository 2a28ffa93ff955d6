"""The crash-point sweep: one course of events, again and again, with a process killed at another boundary each time."""
