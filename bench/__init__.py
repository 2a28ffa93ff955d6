"""What kraut costs, beside its peers doing the same: one verb per figure, ``make bench FIGURE=...``."""
