"""A server's certificate, replaced while it serves."""

import asyncio
import contextlib
import shutil
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kraut_core.tls import CertificateError, ReloadingCertificate
from kraut_lab.pki import CertificateAuthority


@pytest.fixture
def authority(tmp_path):
    return CertificateAuthority(tmp_path / "pki", "ca")


@pytest.fixture
def files(authority, tmp_path):
    """Copies of the pair ``first``; ``put("second")`` replaces them as a Secret's volume does."""
    target = tmp_path / "mounted"
    target.mkdir()

    def put(name):
        pair = authority.issue(name, name, hosts=("localhost",))
        for source, end in ((pair.certificate, "tls.crt"), (pair.key, "tls.key")):
            shutil.copy(source, target / f"..{end}")
            (target / f"..{end}").replace(target / end)
        return target / "tls.crt", target / "tls.key"

    return put


@contextlib.asynccontextmanager
async def served(certificate):
    async def echo(reader, writer):
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                writer.write(line)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=certificate.context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def name_shown(port, authority, **options):
    context = ssl.create_default_context(cafile=str(authority.files.certificate))
    for option, value in options.items():
        setattr(context, option, value)
    hostname = "localhost" if context.check_hostname else None
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=hostname or "")
    shown = x509.load_der_x509_certificate(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
    return shown.subject.rfc4514_string().removeprefix("CN="), reader, writer


async def test_new_connections_get_the_new_certificate_and_old_ones_go_on(authority, files):
    certificate = ReloadingCertificate(*files("first"))
    before = certificate.not_after
    async with served(certificate) as port:
        name, reader, writer = await name_shown(port, authority)
        assert name == "first"
        assert not certificate.reload()
        files("second")
        assert certificate.reload()
        assert certificate.not_after >= before
        again, _, second = await name_shown(port, authority)
        assert again == "second"
        writer.write(b"still here\n")
        assert await reader.readline() == b"still here\n"
        for end in (writer, second):
            end.close()
            await end.wait_closed()


async def test_clients_that_name_no_server_get_the_new_certificate_too(authority, files):
    certificate = ReloadingCertificate(*files("first"))
    async with served(certificate) as port:
        files("second")
        certificate.reload()
        name, _, writer = await name_shown(port, authority, check_hostname=False)
        assert name == "second"
        writer.close()
        await writer.wait_closed()


def test_nothing_older_than_tls_1_2_is_spoken(files):
    assert ReloadingCertificate(*files("first")).context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_half_a_replacement_keeps_the_pair_that_works(authority, files):
    cert, key = files("first")
    certificate = ReloadingCertificate(cert, key)
    other = authority.issue("other", "other", hosts=("localhost",))
    shutil.copy(other.certificate, cert)
    with pytest.raises(CertificateError, match="private key"):
        certificate.reload()
    key.unlink()
    with pytest.raises(CertificateError, match="cannot read"):
        certificate.reload()
    shutil.copy(other.key, key)
    assert certificate.reload()


async def test_the_watch_replaces_survives_and_counts(authority, files):
    cert, key = files("first")
    certificate = ReloadingCertificate(cert, key)
    changed = asyncio.Event()
    watch = asyncio.create_task(certificate.watch(0.01, changed.set))
    cert.write_text("")
    async with asyncio.timeout(60):
        while not certificate.failures:
            await asyncio.sleep(0.01)
        assert not changed.is_set()
        files("second")
        await changed.wait()
    watch.cancel()


@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", None])
def test_files_that_cannot_be_used_say_what_is_expected(files, content):
    cert, key = files("first")
    if content is None:
        cert.unlink()
    else:
        cert.write_bytes(content)
    with pytest.raises(CertificateError, match=r"tls\.crt"):
        ReloadingCertificate(cert, key)


def test_a_key_with_a_passphrase_is_refused_without_asking_anybody(files):
    cert, key = files("first")
    encrypted = serialization.BestAvailableEncryption(b"secret")
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encrypted
    )
    key.write_bytes(pem)
    with pytest.raises(CertificateError, match="without passphrase"):
        ReloadingCertificate(cert, key)
