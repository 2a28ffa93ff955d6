"""The connection to Temporal (extra ``temporal``): converter, encryption, TLS."""
