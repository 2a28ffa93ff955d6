"""What can be decided without touching the machine."""

from __future__ import annotations

import errno
import os
from ipaddress import IPv4Network
from pathlib import Path

import pytest
import yaml

from kraut_lab.apt.catalogue import installed_packages, pending_packages
from kraut_lab.apt.package import DebPackage, control_file, postinst_script, postinst_waits_for
from kraut_lab.assets import etcd_program, kubernetes_program
from kraut_lab.command.render import shell_exports, status_table
from kraut_lab.controlplane.credentials import prepare_credentials
from kraut_lab.controlplane.flags import Ports, apiserver_flags, controller_manager_flags, etcd_flags
from kraut_lab.controlplane.kubeconfig import write_token_kubeconfig
from kraut_lab.demo.command import without_local_version
from kraut_lab.errors import LabError
from kraut_lab.hosts import HostImage
from kraut_lab.hosts.inotify import ENOUGH, allow_inotify_instances
from kraut_lab.hosts.users import sudoers_file, users_script
from kraut_lab.names import LabNames, check_name
from kraut_lab.network.subnet import RANGE, choose_subnet
from kraut_lab.record import LabRecord, read_record, write_record
from kraut_lab.status import PartStatus

PORTS = Ports(etcd_client=1, etcd_peer=2, apiserver=3, controller_manager=4)


class TestSubnets:
    def test_the_first_free_one(self) -> None:
        assert choose_subnet([]) == IPv4Network("198.18.0.0/24")
        assert choose_subnet([IPv4Network("198.18.0.0/24"), IPv4Network("10.0.0.0/8")]) == IPv4Network("198.18.1.0/24")

    def test_the_wish_when_it_is_free(self) -> None:
        wish = IPv4Network("198.18.7.0/24")
        assert choose_subnet([], wish=wish) == wish
        assert choose_subnet([IPv4Network("198.18.7.12/32")], wish=wish) == IPv4Network("198.18.0.0/24")

    def test_one_that_covers_many_takes_them_all(self) -> None:
        assert choose_subnet([IPv4Network("198.18.0.0/16")]) == IPv4Network("198.19.0.0/24")

    def test_a_default_route_takes_none(self) -> None:
        assert choose_subnet([IPv4Network("0.0.0.0/0")]) == IPv4Network("198.18.0.0/24")

    def test_none_is_free(self) -> None:
        with pytest.raises(LabError, match="in use on this machine"):
            choose_subnet([RANGE])


class TestNames:
    def test_interfaces_fit_ifnamsiz_and_start_with_kr(self, tmp_path: Path) -> None:
        names = LabNames(tmp_path / "a-lab-with-quite-a-long-name-indee")
        assert names.bridge.startswith("kr")
        assert len(names.link(239)) <= 15

    def test_labs_of_one_name_in_two_folders_do_not_meet(self, tmp_path: Path) -> None:
        one, other = LabNames(tmp_path / "a" / "x"), LabNames(tmp_path / "b" / "x")
        assert one.bridge != other.bridge
        assert one.namespace("host-1") != other.namespace("host-1")
        assert one.cgroup != other.cgroup

    @pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a/b", "..", "a b", "x" * 33])
    def test_a_bad_name_is_refused(self, name: str) -> None:
        with pytest.raises(LabError, match="at most 32"):
            check_name(name)


class TestControlPlaneFlags:
    def test_each_flag_is_whole_and_given_once(self, tmp_path: Path) -> None:
        credentials = prepare_credentials(tmp_path)
        for flags in (
            etcd_flags(tmp_path, PORTS, credentials),
            apiserver_flags(PORTS, credentials, {}),
            controller_manager_flags(PORTS, credentials, tmp_path / "kubeconfig"),
        ):
            names = [flag.partition("=")[0] for flag in flags]
            assert len(set(names)) == len(names)
            assert all(name.startswith("--") for name in names)

    def test_what_a_caller_adds_wins(self, tmp_path: Path) -> None:
        flags = apiserver_flags(PORTS, prepare_credentials(tmp_path), {"authorization-mode": "Node,RBAC", "v": "4"})
        assert "--authorization-mode=Node,RBAC" in flags
        assert "--v=4" in flags
        assert "--authorization-mode=RBAC" not in flags

    def test_credentials_are_kept_and_readable_by_their_owner_only(self, tmp_path: Path) -> None:
        first = prepare_credentials(tmp_path).admin.certificate.read_bytes()
        assert prepare_credentials(tmp_path).admin.certificate.read_bytes() == first
        assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}

    def test_a_certificate_whose_key_was_not_written_is_made_anew(self, tmp_path: Path) -> None:
        before = prepare_credentials(tmp_path).apiserver
        before.key.unlink()
        assert prepare_credentials(tmp_path).apiserver.exists

    def test_a_kubeconfig_stands_alone(self, tmp_path: Path) -> None:
        (tmp_path / "ca.crt").write_text("CA")
        path = tmp_path / "kubeconfig"
        arguments = {"server": "https://127.0.0.1:3", "user": "kraut-worker", "token": "t", "namespace": "n"}
        write_token_kubeconfig(path, ca=tmp_path / "ca.crt", **arguments)
        document = yaml.safe_load(path.read_text())
        assert document["users"] == [{"name": "kraut-worker", "user": {"token": "t"}}]
        assert document["clusters"][0]["cluster"]["certificate-authority-data"] == "Q0E="
        assert path.stat().st_mode & 0o077 == 0


class TestPackages:
    def test_every_installed_package_has_its_update(self) -> None:
        assert [package.name for package in installed_packages()] == [package.name for package in pending_packages()]
        assert sum(package.security for package in pending_packages()) == 1
        assert sum(package.requires_reboot for package in pending_packages()) == 1

    def test_the_security_archive_is_another(self) -> None:
        assert DebPackage("x").suite != DebPackage("x", security=True).suite

    def test_control(self) -> None:
        assert control_file(DebPackage("x", "1.2")).startswith("Package: x\nVersion: 1.2\nArchitecture: all\n")
        assert "Depends" not in control_file(DebPackage("x"))
        assert "Depends: y (>= 2)\n" in control_file(DebPackage("x", depends="y (>= 2)"))

    def test_postinst_counts_after_it_has_waited_and_before_it_asks_for_a_reboot(self) -> None:
        script = postinst_script(DebPackage("x", requires_reboot=True, postinst=postinst_waits_for("/run/it")))
        assert script.index("until [ -e /run/it ]") < script.index("kraut-lab-maintainer.log")
        assert script.index("kraut-lab-maintainer.log") < script.index("/run/reboot-required")
        assert "reboot-required" not in postinst_script(DebPackage("x"))


class TestUsers:
    def test_sudo_without_password_is_exactly_for_a_shell_that_reads_stdin(self) -> None:
        without_password = [line for line in sudoers_file().splitlines() if "NOPASSWD" in line]
        assert without_password
        assert {line.partition("NOPASSWD:")[2] for line in without_password} == {" /bin/sh -s"}

    def test_a_user_without_password_can_still_use_a_key(self) -> None:
        script = users_script("ssh-ed25519 AAAA lab\n", "secret")
        assert "usermod --password '*' kraut\n" in script
        assert "kraut-sudo-password:secret\n" in script
        assert "kraut:secret\n" not in script


class TestRecord:
    def test_it_is_read_as_written(self, tmp_path: Path) -> None:
        record = LabRecord(subnet="198.18.0.0/24").with_hosts(2, HostImage("trixie", ("needrestart",)))
        write_record(tmp_path, record)
        assert read_record(tmp_path) == record
        assert read_record(tmp_path / "absent") is None

    def test_hosts_are_only_added(self) -> None:
        two = LabRecord().with_hosts(2, HostImage())
        three = two.with_hosts(3, HostImage("trixie"))
        assert three.hosts[:2] == two.hosts
        assert [(host.name, host.index, host.image.suite) for host in three.hosts[2:]] == [("host-3", 2, "trixie")]
        with pytest.raises(LabError, match="run `kraut lab down` first"):
            three.with_hosts(1, HostImage())
        with pytest.raises(LabError, match="at most 240"):
            three.with_hosts(241, HostImage())

    def test_what_cannot_change_is_refused(self) -> None:
        record = LabRecord(debian_updates=True, kubernetes="v1.37")
        assert record.including(LabRecord()) == record
        assert record.including(record) == record
        for asked in (LabRecord(debian_updates=True), LabRecord(kubernetes="v1.37")):
            with pytest.raises(LabError, match="chosen for a new lab"):
                LabRecord().including(asked)

    def test_an_image_is_known_by_all_that_goes_into_it(self) -> None:
        keys = {HostImage().key, HostImage("trixie").key, HostImage(packages=("needrestart",)).key}
        assert len(keys) == 3
        assert HostImage(packages=("a", "b")).key == HostImage(packages=("b", "a")).key


class TestPrograms:
    def test_versions_come_from_the_pinned_modules(self) -> None:
        apiserver = kubernetes_program("kube-apiserver")
        assert apiserver.version.startswith("v1.")
        assert f"component-base/version.gitVersion={apiserver.version}" in apiserver.linker_flags
        assert etcd_program().version.startswith("v3.")

    def test_a_minor_that_is_not_pinned_is_refused_with_those_that_are(self) -> None:
        with pytest.raises(LabError, match=r"v1\.37"):
            kubernetes_program("kube-apiserver", "v1.2")


class TestOutput:
    def test_table(self) -> None:
        parts = [PartStatus("etcd", "Ready", 7, "https://a", "/log"), PartStatus("host-1", "Stopped", None, "", "/log")]
        assert status_table(parts).splitlines() == [
            "NAME     STATE     PID   ADDRESS",
            "etcd     Ready     7     https://a",
            "host-1   Stopped   -     -",
        ]

    def test_exports_survive_the_shell(self) -> None:
        assert shell_exports({"A": "/x y/$z"}) == "export A='/x y/$z'"


def test_a_recorded_picture_names_no_machine_and_keeps_its_columns() -> None:
    assert without_local_version("6.1.0-40-vm7&#160;|", "6.1.0-40-vm7") == "6.1.0" + "&#160;" * 8 + "|"


class TestInotifyInstances:
    def test_a_low_limit_is_raised_and_said(self, tmp_path):
        limit, said = tmp_path / "max_user_instances", []
        limit.write_text("128\n")
        allow_inotify_instances(said.append, limit=limit)
        assert int(limit.read_text()) == ENOUGH
        assert said == [f"raising fs.inotify.max_user_instances from 128 to {ENOUGH}, until the machine boots again"]

    def test_a_limit_that_is_high_enough_is_left_alone(self, tmp_path):
        limit, said = tmp_path / "max_user_instances", []
        limit.write_text(f"{ENOUGH + 1}\n")
        allow_inotify_instances(said.append, limit=limit)
        assert (int(limit.read_text()), said) == (ENOUGH + 1, [])

    def test_who_may_not_raise_it_is_told_what_to_do(self, tmp_path, monkeypatch):
        def refuse(*_):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

        limit = tmp_path / "max_user_instances"
        limit.write_text("128\n")
        monkeypatch.setattr(Path, "write_text", refuse)
        with pytest.raises(LabError, match=r"sysctl fs\.inotify\.max_user_instances=8192"):
            allow_inotify_instances(limit=limit)
