"""Three servers of the same document, each alone on one core: kraut-oidc-proxy, Go's net/http, nginx."""

import os
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.forwarder import Forwarder
from bench.peers.build import go_program
from bench.peers.debian import debian_program
from bench.stage import Stage
from bench.subject import Subject, python
from kraut_lab.controlplane.kubeconfig import write_token_kubeconfig
from kraut_lab.pki import KeyPair
from kraut_lab.ports import choose_ports
from kraut_oidc_proxy.issuers import JWKS_PATH

POLL_SECONDS = "5"
"""More often than by default, so that there are calls upstream to count; not so often that they are the slowest in a hundred."""
_KEEP = "100000000"

NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; etag on; server_tokens off; keepalive_requests {keep}; open_file_cache max=10;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{http}; listen 127.0.0.1:{https} ssl; ssl_certificate {certificate}; ssl_certificate_key {key};
    ssl_protocols TLSv1.3;
    location = {route} {{
      alias {document}; types {{ }} default_type application/jwk-set+json;
      add_header Cache-Control "public, max-age=300"; add_header Access-Control-Allow-Origin "*";
      add_header X-Content-Type-Options nosniff;
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Publisher:
    """A contender: its processes (one with both ports, or one for each) and where the document is."""

    http: str
    https: str
    http_process: Subject
    https_process: Subject

    @property
    def peak_mib(self) -> float:
        """Peak of the memory of the larger process until now."""
        return max(self.http_process.peak_mib, self.https_process.peak_mib)


def cores() -> tuple[str, str]:
    """The core of the servers and that of the load, as taskset(1) names them."""
    usable = sorted(os.sched_getaffinity(0))
    return str(usable[0]), str(usable[-1])


def on_core(core: str, argv: list[str]) -> list[str]:
    """The command pinned to a core; the same process."""
    return [shutil.which("taskset") or "taskset", "-c", core, *argv]


@contextmanager
def kraut(stage: Stage, upstream: Forwarder, pair: KeyPair, document: Path) -> Iterator[Publisher]:
    """kraut-oidc-proxy as shipped, one for each scheme; writes what it serves to ``document``."""
    kubeconfig = stage.folder / "oidc-proxy.kubeconfig"
    identity = {"user": "proxy", "token": stage.plane.token("oidc-proxy"), "namespace": "kraut-system"}
    write_token_kubeconfig(kubeconfig, server=f"https://127.0.0.1:{upstream.port}", ca=stage.plane.ca, **identity)
    http, https, first, second = choose_ports(4)
    tls = {"KRAUT_TLS_CERT_FILE": str(pair.certificate), "KRAUT_TLS_KEY_FILE": str(pair.key)}
    settings = {
        "KRAUT_OIDC_ISSUER": stage.plane.url,
        "KRAUT_OIDC_HOST": "127.0.0.1",
        "KRAUT_OIDC_POLL_SECONDS": POLL_SECONDS,
        "KRAUT_KUBE_KUBECONFIG": str(kubeconfig),
        "KRAUT_PROBE_HOST": "127.0.0.1",
    }
    argv = on_core(cores()[0], python("kraut_oidc_proxy"))
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                Subject(
                    argv,
                    {**settings, **more, "KRAUT_OIDC_PORT": str(port), "KRAUT_PROBE_PORT": str(probe)},
                    probe_port=probe,
                )
            )
            for port, probe, more in ((http, first, {}), (https, second, tls))
        ]
        for process in processes:
            process.wait_ready()
        found = Publisher(_url("http", http), _url("https", https), *processes)
        with urllib.request.urlopen(found.http, timeout=30) as answer:
            document.write_bytes(answer.read())
        yield found


@contextmanager
def go(pair: KeyPair, document: Path) -> Iterator[Publisher]:
    """bench/peers/go/cmd/jwks."""
    http, https = choose_ports(2)
    ports = [f"-http=127.0.0.1:{http}", f"-https=127.0.0.1:{https}"]
    files = [f"-cert={pair.certificate}", f"-key={pair.key}", f"-file={document}", f"-route={JWKS_PATH}"]
    with _one([go_program("jwks"), *ports, *files], http, https) as found:
        yield found


@contextmanager
def nginx(folder: Path, pair: KeyPair, document: Path) -> Iterator[Publisher]:
    """Debian's nginx with one process, a file and what makes it fast. Raises PeerMissingError."""
    program = debian_program("nginx", "usr/sbin/nginx")
    http, https = choose_ports(2)
    places = {"folder": folder, "document": document, "route": JWKS_PATH, "keep": _KEEP}
    config = folder / "nginx.conf"
    config.write_text(
        NGINX.format(http=http, https=https, certificate=pair.certificate, key=pair.key, **places), encoding="utf-8"
    )
    with _one([str(program), "-p", str(folder), "-e", "stderr", "-c", str(config)], http, https) as found:
        yield found


@contextmanager
def _one(argv: list[str], http: int, https: int) -> Iterator[Publisher]:
    with Subject(on_core(cores()[0], argv), {}) as process:
        url = _url("http", http)
        process.wait(lambda: _answers(url), "it answers")
        yield Publisher(url, _url("https", https), process, process)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _url(scheme: str, port: int) -> str:
    return f"{scheme}://127.0.0.1:{port}{JWKS_PATH}"
