"""All hosts of one lab: what they share is made once, then they start side by side."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network
from pathlib import Path

from kraut_lab.apt import AptRepository
from kraut_lab.apt.catalogue import installed_packages, pending_packages
from kraut_lab.errors import LabError
from kraut_lab.hosts.credentials import SshCredentials
from kraut_lab.hosts.host import LabHost
from kraut_lab.hosts.image import HostImage, ensure_image
from kraut_lab.hosts.inotify import allow_inotify_instances
from kraut_lab.hosts.layer import ensure_layer
from kraut_lab.hosts.users import users_script
from kraut_lab.names import LabNames
from kraut_lab.network import LabNetwork
from kraut_lab.progress import Progress, silent
from kraut_lab.record import HostRecord, LabRecord
from kraut_lab.settings import LabSettings

_STARTING_AT_ONCE = 8


class HostFleet:
    """Makes and starts the hosts of a record."""

    def __init__(
        self,
        names: LabNames,
        record: LabRecord,
        settings: LabSettings,
        ssh: SshCredentials,
        progress: Progress = silent,
    ) -> None:
        self._names = names
        self._record = record
        self._settings = settings
        self._network = LabNetwork(names)
        self._ssh = ssh
        self._progress = progress
        proxies = {"debian": settings.debian_mirror, "debian-security": settings.debian_security_mirror}
        self.repository = AptRepository(names.folder, proxies=proxies if record.debian_updates else None)

    def hosts(self) -> list[LabHost]:
        """Handles on the hosts.

        Raises:
            LabError: they have never been started.
        """
        if not self._record.hosts:
            return []
        if self._record.subnet is None:
            raise LabError(
                f"The hosts of the lab {self._names.lab} have no addresses yet: run `kraut lab up` to the end."
            )
        subnet = IPv4Network(self._record.subnet)
        return [self._handle(host, subnet) for host in self._record.hosts]

    def create_network(self) -> IPv4Network:
        """Make the hosts' network unless it is there: the recorded one if it is still free."""
        wish = IPv4Network(self._record.subnet) if self._record.subnet else None
        return self._network.create_bridge(wish=wish)

    def start(self, subnet: IPv4Network) -> None:
        """Start the hosts that do not run, and wait until each answers."""
        allow_inotify_instances(self._progress)
        self._ssh.create()
        self._publish_first()
        self.repository.start(subnet[1])
        layers = {host.image: self._layers(host.image) for host in self._record.hosts}
        self._progress(f"starting {len(self._record.hosts)} hosts")
        with ThreadPoolExecutor(max_workers=_STARTING_AT_ONCE) as pool:
            futures = [pool.submit(self._start, host, subnet, layers[host.image]) for host in self._record.hosts]
        for future in futures:
            future.result()

    def _start(self, record: HostRecord, subnet: IPv4Network, layers: list[Path]) -> None:
        host = self._handle(record, subnet)
        if not host.is_running():
            self._network.attach(record.name, record.index, subnet)
            sources = self.repository.sources(subnet[1], record.image.suite)
            host.configure(layers=layers, hosts_file=self._hosts_file(record, subnet), apt_sources=sources)
            host.power_on(wait=False)
        host.wait_answers()

    def _handle(self, host: HostRecord, subnet: IPv4Network) -> LabHost:
        return LabHost(self._names, host.name, self._network.address(host.index, subnet))

    def _layers(self, image: HostImage) -> list[Path]:
        mirror, cache = self._settings.debian_mirror, self._settings.cache_dir
        base = ensure_image(image, cache, mirror=mirror, progress=self._progress)
        installed = [self.repository.package_file(package) for package in installed_packages()]
        layer = ensure_layer(
            self._names.folder / "layers" / image.key,
            base,
            packages_folder=self.repository.root,
            packages=[str(file.relative_to(self.repository.root)) for file in installed],
            script=users_script(self._ssh.public_keys, self._ssh.password),
        )
        return [layer, base]

    def _publish_first(self) -> None:
        published = self.repository.root / "published"
        if not published.exists():
            shutil.rmtree(self.repository.root, ignore_errors=True)
            self.repository.publish(*installed_packages(), *pending_packages())
            published.touch()

    def _hosts_file(self, own: HostRecord, subnet: IPv4Network) -> str:
        others = (host for host in self._record.hosts if host.index != own.index)
        named = ((self._network.address(host.index, subnet), host.name) for host in (own, *others))
        lines = [
            "127.0.0.1 localhost",
            "::1 localhost ip6-localhost",
            *(f"{address} {name}" for address, name in named),
        ]
        return "".join(f"{line}\n" for line in lines)
