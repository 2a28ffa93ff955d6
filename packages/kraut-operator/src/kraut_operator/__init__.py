"""Watches kraut's resources and dispatches each reconciliation to the worker through Temporal; no business logic."""
