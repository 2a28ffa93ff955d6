from collections.abc import Callable, Iterator
from typing import Any

import pytest

COMPONENTS = ("operator", "worker")


@pytest.fixture
def services(lab):
    """kraut-operator and kraut-worker run for this test only: what others look at on a host is not to change under them.

    Restarted whenever they end, as a Deployment does: a leader on a machine that stood still for 10 s ends itself.
    """
    started = [lab.start_component(name, restart=True) for name in COMPONENTS]
    yield started
    for component in started:
        component.stop()


KEPT = "home/kraut etc/passwd etc/shadow etc/group etc/gshadow etc/sudoers.d root/.ssh"


@pytest.fixture
def borrow() -> Iterator[Callable[[Any], Any]]:
    """``borrow(host)``: its users, their keys and sudo's rules are afterwards what they were: other tests log in there too."""
    borrowed: list[Any] = []

    def take(host: Any) -> Any:
        host.exec(f"tar -C / -cf /root/borrowed.tar {KEPT}")
        borrowed.append(host)
        return host

    yield take
    for host in borrowed:
        host.exec(
            "cd / && rm -rf /home/kraut etc/sudoers.d/* && tar -C / --numeric-owner -xpf /root/borrowed.tar && rm /root/borrowed.tar"
        )
