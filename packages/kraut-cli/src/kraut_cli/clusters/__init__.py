"""``kraut cluster``: clusters that kraut reaches."""
