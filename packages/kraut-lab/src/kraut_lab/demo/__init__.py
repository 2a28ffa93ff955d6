"""`make demo`: real hosts from unknown to discovered to patched and rebooted, with nothing to type."""
