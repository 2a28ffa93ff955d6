"""Identity across clusters: verify tokens of foreign issuers, and get tokens that others accept.

What decides is pure and stands here; what talks to the network is in ``kraut_core.identity.adapters``.
"""
