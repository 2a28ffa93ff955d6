"""Programs of kraut's own code that a figure runs as processes, as it runs its peers."""
