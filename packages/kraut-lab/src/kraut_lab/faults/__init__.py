"""Faults that tests inject and that always heal: context managers, one concept per module.

=================== ===========================================================================================
`signals`           a process is stopped (SIGSTOP) for a while
`limits`            a process has no descriptors left, or hits a memory cap
`network`           a TCP connection's far end is out of reach, refuses, or swallows everything
`sshd`              a host lets nobody in: its sshd hangs, or others hold all its MaxStartups
`disk`              a folder of a host is full, or read-only
`packagelock`       a lock of a host's package manager is held
`etcd`              etcd is out of space
`objects`           an object of the API is gone for a while: a role binding, a CRD
`apiproxy`          an API server that lies: it drops and repeats events, cuts lines, answers with what was
`heldupdate`        an update stands still in its middle for as long as a fault needs
`recorder`          every version of every Host, from a watch of its own
`recordings`        what must be true of recordings, whatever happened
=================== ===========================================================================================

A host's own network is cut by ``LabHost.network`` (nftables), its power by ``LabHost.power_off``.
"""
