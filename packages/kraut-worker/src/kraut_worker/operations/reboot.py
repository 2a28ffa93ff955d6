"""The script that reboots a host (pure: it returns text)."""


def reboot() -> str:
    """The script of a Reboot operation; it exits 0 when systemd accepted. Only a changed boot id is success."""
    raise NotImplementedError
