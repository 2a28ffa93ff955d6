"""Small worlds and kinds for tests of the operator; they need no server."""
