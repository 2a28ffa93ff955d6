"""Which package versions are security updates, in apt's own terms: what is reported and what is installed are chosen alike."""

from typing import Final

SECURITY_PREFERENCES: Final = """\
Package: *
Pin: release l=Debian-Security
Pin-Priority: 990

Package: *
Pin: release a=*-security
Pin-Priority: 990

Package: *
Pin: release n=*-security
Pin-Priority: 990
"""
"""apt_preferences(5): the version of the security archive is the candidate even where another archive has a newer one."""
