"""A small apt repository with real packages and real maintainer scripts, served to the lab's hosts."""

from kraut_lab.apt.package import MAINTAINER_LOG, DebPackage, postinst_fails_while, postinst_waits_for
from kraut_lab.apt.repository import AptRepository

__all__ = ["MAINTAINER_LOG", "AptRepository", "DebPackage", "postinst_fails_while", "postinst_waits_for"]
