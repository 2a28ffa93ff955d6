"""Publishes the discovery document and JWKS of a cluster's kube-apiserver under a name and a certificate that others trust."""
