"""Cold sync of five times as many."""

from dataclasses import replace

from bench.figures import sync

FIGURE = replace(sync.FIGURE, title=sync.FIGURE.title.replace("10,000", "50,000"), size=50_000)
