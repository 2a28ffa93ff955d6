"""What of identity talks to the network: safe HTTP, keys of issuers, exchanges, TokenRequest."""
