"""The outside world: everything here implements a protocol of kraut_worker.ports."""
