"""``kraut-credential``: a client-go credential plugin that shows a cluster a token of another cluster's service account.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""
