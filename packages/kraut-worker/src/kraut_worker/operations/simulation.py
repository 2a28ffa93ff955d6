"""How apt is asked what it would do, so that nothing of the host is changed by the question."""

from typing import Final

SIMULATE: Final = "-q -s -o Debug::NoLocking=1 -o Dir::Cache::pkgcache= -o Dir::Log::Planner=/dev/null"
"""Options of apt-get(8).

Without locks; without pkgcache.bin, for apt tells whether it is old by the size of dpkg's status and the whole second of its change;
without the planner's log: a simulation would overwrite what the last installation left in /var/log/apt/eipp.log.xz, and compressing
it takes as long as all of the rest.
"""
