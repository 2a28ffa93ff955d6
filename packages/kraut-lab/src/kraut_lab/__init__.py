"""kraut-lab: a private cloud on one machine, of real parts, for trying, developing, testing and measuring kraut.

The parts, each usable alone: `kraut_lab.lab.Lab`, `kraut_lab.controlplane.ControlPlane`,
`kraut_lab.temporal.TemporalServer`, `kraut_lab.apt.AptRepository`; pytest fixtures in `kraut_lab.pytest_plugin`.
"""
