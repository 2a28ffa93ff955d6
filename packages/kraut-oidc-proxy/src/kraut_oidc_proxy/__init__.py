"""Publishes the discovery document and JWKS of a cluster's kube-apiserver under a trusted certificate. Not built yet: this release holds the package name and its place in the layers."""
