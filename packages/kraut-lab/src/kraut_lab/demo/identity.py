"""`make demo-identity`: a service account of one cluster acts in another, directly and through an exchange."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from kraut_core.identity.compact import read_token
from kraut_lab.controlplane.client import kubectl_path
from kraut_lab.controlplane.kubeconfig import write_token_file_kubeconfig
from kraut_lab.dex import Dex
from kraut_lab.errors import LabError, WaitTimeoutError
from kraut_lab.files import write_atomically
from kraut_lab.sites import Federation, Site
from kraut_lab.waiting import wait_for

ACCOUNT: Final = "kraut-worker"
USER: Final = f"kraut:east:system:serviceaccount:kraut-system:{ACCOUNT}"
BINDING: Final = "east-views"
_PATIENCE_SECONDS: Final = 150
"""An API server looks for the keys of its issuers in the background, and again every 10 s."""


class IdentityDemo:
    """The course between the sites east and west, both up."""

    def __init__(self, federation: Federation, dex: Dex, console: Console) -> None:
        self._federation = federation
        self._dex = dex
        self._console = console
        self._folder = federation.folder / "demo"
        self._east, self._west = federation.site("east"), federation.site("west")
        self._began = time.monotonic()

    def run(self) -> None:
        """The whole course. Raises LabError when something is not as it must be."""
        # Of an earlier course on a lab that was kept.
        self._kubectl(self._west.kubeconfig, ["delete", "clusterrolebinding", BINDING, "--ignore-not-found"])
        self._say("Two clusters. Each signs tokens under an issuer of its own, which kraut-oidc-proxy publishes:")
        for site in (self._east, self._west):
            self._line(site.name, f"{site.issuer}   accepts tokens for {site.audience}")
        direct = self._directly()
        exchanged = self._through_dex()
        self._rbac_decides(direct, exchanged)
        self._refusals(direct)

    def _directly(self) -> Path:
        self._title("1. Directly: west's kube-apiserver trusts east's issuer")
        token = self._token("direct", self._east.token(self._west.audience))
        self._describe("token of east", token)
        access = self._access("direct", self._west, token)
        self._until_known(access)
        self._is_user(access)
        return access

    def _through_dex(self) -> Path:
        self._title("2. By exchange: Dex trusts east's issuer, west trusts Dex (RFC 8693)")
        subject = self._token("subject", self._east.token(self._dex.issuer))
        self._describe("token of east", subject)
        token = self._folder / "exchanged.token"
        self._exchange(subject, token)
        self._describe("token of Dex", token)
        access = self._access("exchanged", self._west, token)
        self._until_known(access)
        self._is_user(access)
        return access

    def _rbac_decides(self, direct: Path, exchanged: Path) -> None:
        self._title("3. RBAC in west decides, the same for both ways")
        both = (direct, exchanged)
        for access in both:
            self._expect(access, ["get", "namespaces"], refusal="Forbidden")
        binding = ["create", "clusterrolebinding", BINDING, "--clusterrole=view", f"--user={USER}"]
        self._expect(self._west.kubeconfig, binding, shown="west-admin")
        for access in both:
            self._until_allowed(access, ["get", "namespaces"])
            self._expect(access, ["get", "namespaces", "--output=name"])
            self._expect(access, ["get", "secrets", "--all-namespaces"], refusal="Forbidden")

    def _refusals(self, direct: Path) -> None:
        self._title("4. A token for west is worth nothing elsewhere")
        token = direct.with_suffix(".token")
        self._expect(self._access("west-token-at-east", self._east, token), ["auth", "whoami"], refusal="Unauthorized")
        own = self._token("own", self._east.token(self._east.audience))
        self._expect(self._access("east-token-at-west", self._west, own), ["auth", "whoami"], refusal="Unauthorized")

    def _token(self, name: str, value: str) -> Path:
        file = self._folder / f"{name}.token"
        write_atomically(file, value)
        return file

    def _access(self, name: str, site: Site, token: Path) -> Path:
        plane, kubeconfig = site.control_plane, self._folder / f"{name}.kubeconfig"
        write_token_file_kubeconfig(kubeconfig, server=plane.url, ca=plane.ca, user=name, token_file=token)
        return kubeconfig

    def _exchange(self, subject: Path, out: Path) -> None:
        dex = self._dex
        options = {
            "endpoint": dex.token_endpoint,
            "issuer": dex.issuer,
            "connector": "east",
            "client": "west",
            "ca": self._federation.ca,
            "subject-file": subject,
            "secret-file": dex.secret_file("west"),
            "out": out,
        }
        argv = [
            sys.executable,
            "-m",
            "kraut_lab.demo.exchanging",
            *(f"--{key}={value}" for key, value in options.items()),
        ]
        done = subprocess.run(
            self._federation.host_names.wrap(argv), capture_output=True, text=True, check=False, env={}
        )
        if done.returncode != 0:
            raise LabError(f"Dex should exchange a token of east, it did not: {done.stderr.strip()}")

    def _until_known(self, access: Path) -> None:
        self._wait(access, ["auth", "whoami"], "west to have read the issuer's keys")

    def _until_allowed(self, access: Path, arguments: Sequence[str]) -> None:
        self._wait(access, arguments, "west's RBAC to see the new binding")

    def _wait(self, access: Path, arguments: Sequence[str], what: str) -> None:
        try:
            wait_for(
                lambda: True if self._kubectl(access, arguments).returncode == 0 else None,
                what,
                timeout=_PATIENCE_SECONDS,
                interval=0.5,
            )
        except WaitTimeoutError as error:
            raise LabError(f"{error} kubectl says: {self._kubectl(access, arguments).stderr.strip()}") from None

    def _is_user(self, access: Path) -> None:
        arguments = ["auth", "whoami", "--output=jsonpath={.status.userInfo.username}"]
        self._command(access.stem, arguments)
        found = self._kubectl(access, arguments).stdout.strip()
        if found != USER:
            raise LabError(f"west should know the caller as {USER}, it says {found!r}.")
        self._print(found)

    def _expect(
        self, access: Path, arguments: Sequence[str], *, refusal: str | None = None, shown: str | None = None
    ) -> None:
        """Run kubectl and show it. Raises LabError unless it succeeds or, with ``refusal``, fails with that word."""
        self._command(shown or access.stem, arguments)
        done = self._kubectl(access, arguments)
        said = (done.stdout if done.returncode == 0 else done.stderr).strip()
        as_wanted = (
            done.returncode == 0 if refusal is None else done.returncode != 0 and refusal.lower() in said.lower()
        )
        if not as_wanted:
            raise LabError(f"kubectl {' '.join(arguments)} should {'be refused' if refusal else 'succeed'}: {said}")
        self._print(said)

    def _kubectl(self, access: Path, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        argv = [kubectl_path(), f"--kubeconfig={access}", f"--cache-dir={self._folder / '.cache'}", *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=False, env={})

    def _describe(self, what: str, token: Path) -> None:
        claims = read_token(token.read_text()).claims
        lifetime = f"lives {claims['exp'] - claims['iat']} s"
        name = claims.get("preferred_username", claims["sub"])
        self._line(what, f"iss {claims['iss']}   for {name}   aud {claims['aud']}   {lifetime}")

    def _command(self, identity: str, arguments: Sequence[str]) -> None:
        self._console.print(
            f"[bold]$ kubectl --kubeconfig {identity} {' '.join(arguments)}[/bold]", highlight=False, soft_wrap=True
        )

    def _title(self, text: str) -> None:
        self._console.print(
            f"\n[bold]{text}[/bold]   [dim]({time.monotonic() - self._began:.1f}s)[/dim]",
            highlight=False,
            soft_wrap=True,
        )

    def _line(self, name: str, text: str) -> None:
        self._print(f"  {name:<14} {text}")

    def _say(self, text: str) -> None:
        self._print(f"\n{text}")

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)
