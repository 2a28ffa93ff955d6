"""Workflows: small interpreters of what the activities decide. They import the standard library, temporalio and messages only."""
