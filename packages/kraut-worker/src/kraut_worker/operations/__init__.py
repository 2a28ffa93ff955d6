"""The host operation protocol: durable work on one host that outlives the connection which started it.

Read ``state.py`` first (what can be observed, and what it means), then ``protocol.py`` (what the worker does about it)
and ``scripts/`` (what the host does).
"""
