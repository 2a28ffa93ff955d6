"""REST, a thin shim over the Kubernetes API within and across clusters. Not built yet: this release holds the package name and its place in the layers."""
