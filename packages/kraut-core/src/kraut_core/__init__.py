"""kraut's shared model library: resources, CRDs, contracts and plumbing."""
