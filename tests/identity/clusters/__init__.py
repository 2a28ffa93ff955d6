"""A package, so that its fixtures can be of the whole of it (pytest's scope `package`)."""
