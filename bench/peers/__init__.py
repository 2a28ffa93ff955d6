"""What kraut is measured against, each built or installed from a lock into the cache folder."""
