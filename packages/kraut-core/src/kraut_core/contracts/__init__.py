"""What two processes agree on: names, ids and messages. Imports no network and no temporalio."""
