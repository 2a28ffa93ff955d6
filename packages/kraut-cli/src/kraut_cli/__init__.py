"""kraut and kubectl-kraut: the human's way in."""
