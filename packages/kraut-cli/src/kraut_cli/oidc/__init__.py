"""``kraut oidc``: whether an issuer can be trusted by others, whether others refuse what they must, and rotation."""
