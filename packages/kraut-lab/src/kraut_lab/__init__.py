"""kraut-lab: a private cloud on one machine, of real parts, for trying, developing, testing and measuring kraut."""
