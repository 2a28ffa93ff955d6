"""Facts: what a host is and has. A fact is a command (POSIX sh) and a parser (pure), one file each; ``gather`` joins them."""
