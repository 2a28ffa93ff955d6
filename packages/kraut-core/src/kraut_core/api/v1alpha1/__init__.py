"""The kinds of ``kraut.dev/v1alpha1``, one per file."""
