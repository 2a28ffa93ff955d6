"""No secret shows anywhere (fault matrix: I7): every byte that kraut and its parts leave behind is searched.

The secrets are new in every run. Whatever opens a host, or is meant to and does not, goes through all of kraut's work;
then 16 bytes of any of them, in any of the usual encodings, are looked for in Temporal's database, the logs, etcd (all
objects but Secrets), every version of every Host, each host's own records, and in the arguments and environments of all
processes that ran meanwhile.
"""

import base64
import json
import secrets
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from temporalio.client import Client

from kraut_lab.apt import DebPackage, postinst_fails_while
from kraut_lab.daemon import Daemon
from kraut_lab.leaks.places import read_places
from kraut_lab.leaks.processes import ProcessSampler
from kraut_lab.leaks.scanner import Scanner
from kraut_lab.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1200)]

LOG_BYTES = 256 * 1024
"""So much of a failed operation's output is kept."""


def new_key():
    """A private key as ssh-keygen would write it, and the 32 bytes that make it."""
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    return text, key.private_bytes_raw()


def seed_of(text, passphrase=None):
    return serialization.load_ssh_private_key(text, passphrase).private_bytes_raw()


def tricky():
    """A password with what JSON and shells write differently."""
    return f"{secrets.token_urlsafe(24)}\"'\\<&>é${secrets.token_urlsafe(24)}"


@pytest.fixture
def password(machines, lab):
    """Of kraut-password on the first host, in place of the lab's, which comes back afterwards."""
    password = tricky()
    set_password(machines[0], "kraut-password", password)
    yield password
    set_password(machines[0], "kraut-password", lab.ssh.password)


@pytest.fixture
def verbose(kraut):
    """Operator and worker tell everything they can."""
    components = [kraut.component(name) for name in ("operator", "worker")]
    for component in components:
        component.stop()
        component.start(restart=True, env={"KRAUT_LOG_LEVEL": "debug"})
    yield
    for component in components:
        component.stop()
        component.start(restart=True)


def set_password(machine, user, password):
    """chpasswd(8) on the console, by standard input."""
    argv = ["nsenter", f"--target={machine.pid}", "--all", "/usr/sbin/chpasswd"]
    subprocess.run(argv, input=f"{user}:{password}\n".encode(), check=True)


def give_failing_update(lab, machine, name, postinst):
    """1.0 on the machine, 1.1 in the repository: its postinst says something and fails while /run/kraut-t-fail exists."""
    lab.apt_repository.publish(DebPackage(name, "1.0"))
    machine.exec(f"apt-get update -qq && apt-get install -yqq {name}=1.0 >/dev/null; touch /run/kraut-t-fail")
    update = f"{postinst}\n{postinst_fails_while('/run/kraut-t-fail')}"
    lab.apt_repository.publish(DebPackage(name, "1.1", postinst=update))


def saying(text):
    """A postinst that prints a text; none of it stands in an argument."""
    return f"cat <<'END_OF_TEXT'\n{text}\nEND_OF_TEXT"


def leaks(scanner, places):
    return [
        f"{leak.secret} ({leak.encoding}) in {place} at {leak.offset}"
        for place, data in places
        for leak in scanner.scan(data)
    ]


def in_the_output(place):
    """What a host's own packages print stays on that host, for root only."""
    return " var/lib/kraut/ops/" in place and place.endswith("/out")


def test_no_secret_is_left_anywhere(desk, machines, lab, recording, verbose, password):
    """I7: keys, passphrases and passwords, right and wrong ones, and those that a host prints itself."""
    machine, jump = machines[0], machines[1]
    ssh = lab.ssh
    key, locked = ssh.private_key.read_bytes(), ssh.encrypted_private_key.read_bytes()
    wrong_key, wrong_seed = new_key()
    printed_key, printed_seed = new_key()
    cut_key, cut_seed = new_key()
    wrong_password, wrong_passphrase, printed = (tricky() for _ in range(3))
    malformed = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{secrets.token_urlsafe(60)}\n"
    planted = {
        "key": key,
        "seed of the key": seed_of(key),
        "encrypted key": locked,
        "seed of the encrypted key": seed_of(locked, ssh.passphrase.encode()),
        "passphrase": ssh.passphrase.encode(),
        "password": password.encode(),
        "lab's password": ssh.password.encode(),
        "wrong key": wrong_key,
        "seed of the wrong key": wrong_seed,
        "wrong password": wrong_password.encode(),
        "wrong passphrase": wrong_passphrase.encode(),
        "malformed key": malformed.encode(),
    }
    shown = {
        "printed password": printed.encode(),
        "printed key": printed_key,
        "seed of the printed key": printed_seed,
        "cut key": cut_key,
        "seed of the cut key": cut_seed,
    }
    another, _ = new_key()
    common = [another, machine.host_key.encode(), ssh.public_keys.encode()]
    scanner = Scanner(planted | shown, common=common)
    own = Scanner(planted, common=common)

    with ProcessSampler() as processes:
        # Discovery in every way in.
        desk.secret("key", **{"ssh-privatekey": key})
        desk.secret("locked", **{"ssh-privatekey": locked, "passphrase": ssh.passphrase.encode()})
        desk.secret("password", password=password.encode())
        handle = desk.host(machine, credentialsRef={"name": "locked"})
        handle.wait_condition("Ready", "True", "Reachable")
        via = {
            "address": jump.address,
            "port": jump.port,
            "user": "kraut-password",
            "hostKeys": [jump.host_key],
            "credentialsRef": {"name": "jump"},
        }
        desk.secret("jump", password=ssh.password.encode())
        handle.apply(user="kraut-password", credentialsRef={"name": "password"}, jumpHost=via)
        handle.wait_condition("Ready", "True", "Reachable")

        # An update that fails and says what it should not, by the password through the jump host.
        output = f"login as kraut-password with {password}\npassword={printed}\n{printed_key.decode()}"
        give_failing_update(lab, machine, "kraut-t-says", saying(output))
        handle.apply(operatingSystem={"updates": "All"})
        handle.request()
        first = handle.wait_operation("UpdatePackages", result="Failed")
        machine.exec("rm -f /run/kraut-t-fail")
        handle.request()
        handle.wait_up_to_date()

        # Another one whose output is so long that the kept end begins in the middle of a key.
        lines = cut_key.decode().splitlines()
        rest = LOG_BYTES - len("\n".join(lines[3:]))
        give_failing_update(
            lab, machine, "kraut-t-long", f"{saying(cut_key.decode())}\nhead -c {rest} /dev/zero | tr '\\0' '\\n'"
        )
        handle.request()
        handle.wait(
            lambda host: len([o for o in host["status"].get("operations", []) if o["result"] == "Failed"]) > 1,
            "a second failed operation",
        )

        # Everything wrong that can be wrong with credentials.
        wrong = {
            "AuthenticationFailed": {"ssh-privatekey": wrong_key},
            "PassphraseWrong": {"ssh-privatekey": locked, "passphrase": wrong_passphrase.encode()},
            "PrivateKeyInvalid": {"ssh-privatekey": malformed.encode()},
            "SecretInvalid": {"password": wrong_password.encode("utf-16-le") + b"\xff"},
        }
        for number, (reason, data) in enumerate(wrong.items()):
            desk.secret(f"wrong-{number}", **data)
            handle.apply(user="kraut", credentialsRef={"name": f"wrong-{number}"}, jumpHost=None)
            handle.wait_condition("Stalled", "True", reason)
        desk.secret("wrong-password", password=wrong_password.encode())
        handle.apply(user="kraut-password", credentialsRef={"name": "wrong-password"})
        handle.wait_condition("Stalled", "True", "AuthenticationFailed")
        handle.apply(
            user="kraut", credentialsRef={"name": "key"}, jumpHost={**via, "credentialsRef": {"name": "wrong-password"}}
        )
        handle.wait_condition("Stalled", "True", "AuthenticationFailed")

        # It heals, works, and goes.
        machine.exec("rm -f /run/kraut-t-fail")
        handle.apply(jumpHost=None, operatingSystem={"updates": "All"})
        handle.request()
        done = handle.wait_up_to_date()
        before_deletion = list(read_places(lab))
        modes = machine.exec("stat -c '%U %a' /var/lib/kraut/ops /var/lib/kraut/ops/*/out").stdout.splitlines()
        handle.delete()
        handle.wait_gone()

    assert first["status"]["operations"][0]["result"] == "Failed"
    assert done["status"]["operations"][0]["result"] == "Succeeded"
    # The searched things are there: a log that was kept, a process that was seen, a history that was written.
    kept = [data for place, data in before_deletion if "/registry/configmaps/" in place and b"kraut-t-says" in data]
    assert any(b"[redacted]" in data for data in kept)
    assert b"kraut_worker" in processes.content
    everything = [
        *before_deletion,
        *((f"after the deletion: {place}", data) for place, data in read_places(lab)),
        ("arguments and environments", processes.content),
        ("versions of Hosts", json.dumps(recording.versions).encode()),
    ]
    found = leaks(scanner, [(place, data) for place, data in everything if not in_the_output(place)])
    assert found == [], "\n".join(found)
    # What the host printed itself is kept on the host, and kraut's credentials in it are those that it printed.
    outputs = [(place, data) for place, data in everything if in_the_output(place)]
    assert outputs
    assert set(modes) == {"root 700", "root 600"}
    assert leaks(Scanner({k: v for k, v in planted.items() if k != "password"}, common=common), outputs) == []
    assert (
        leaks(
            own,
            [(place, data) for place, data in everything if " var/lib/kraut" in place and not in_the_output(place)],
        )
        == []
    )


async def test_the_search_finds_a_needle_in_every_place(desk, machine, lab, recording):
    """The control: one needle per place, each in other clothes."""
    names = ("temporal", "log", "event", "configmap", "status", "arguments", "environment", "host", "journal")
    needles = {name: secrets.token_urlsafe(30) for name in names}
    handle = desk.host(machine)
    handle.wait_current()
    client = await Client.connect(lab.temporal.address)
    await client.start_workflow(
        "Nobody", needles["temporal"].encode().hex(), id=f"needle-{desk.namespace}", task_queue="nobody"
    )
    needle_file = lab.folder / "needle"
    needle_file.write_bytes(needles["log"].encode("utf-16-le"))
    daemon = Daemon(lab.folder, "needle")
    daemon.start(["/bin/cat", str(needle_file)])
    wait_until(lambda: not daemon.is_running(), "the needle to be logged")
    post(
        desk,
        "/api/v1/namespaces/{}/configmaps",
        {
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "metadata": {"name": "needle"},
            "data": {"a": base64.b64encode(needles["configmap"].encode()).decode()},
        },
    )
    event = {
        "kind": "Event",
        "apiVersion": "v1",
        "metadata": {"name": "needle", "namespace": desk.namespace},
        "involvedObject": {
            "kind": "Host",
            "apiVersion": "kraut.dev/v1alpha1",
            "name": handle.name,
            "namespace": desk.namespace,
        },
        "reason": "Needle",
        "message": json.dumps({"a": needles["event"]}),
    }
    post(desk, "/api/v1/namespaces/{}/events", event)
    status, answer = desk.api.request(
        "PATCH",
        f"{handle.path}/status",
        {"status": {"lastHandledRequest": needles["status"]}},
        "application/merge-patch+json",
    )
    assert status == 200, answer
    machine.exec(
        f"mkdir -p /var/lib/kraut/ops/needle; echo {needles['host'].encode().hex()} >/var/lib/kraut/ops/needle/out; logger needle {needles['journal']}; journalctl --sync"
    )
    with ProcessSampler() as processes:
        sleepers = [
            subprocess.Popen(["sleep", "600"], env={"NEEDLE": needles["environment"]}),
            subprocess.Popen(["sh", "-c", "read wait", needles["arguments"]], stdin=subprocess.PIPE),
        ]
        try:
            sought = Scanner({name: needles[name].encode() for name in ("environment", "arguments")})
            wait_until(lambda: len({leak.secret for leak in sought.scan(processes.content)}) == 2, "both to be seen")
        finally:
            for sleeper in sleepers:
                sleeper.kill()
                sleeper.communicate()
    places = [
        *read_places(lab),
        ("arguments and environments", processes.content),
        ("versions of Hosts", json.dumps(recording.versions).encode()),
    ]
    found = {
        name: [place for place, data in places if Scanner({name: needle.encode()}).scan(data)]
        for name, needle in needles.items()
    }
    machine.exec("rm -rf /var/lib/kraut/ops/needle")
    assert any("temporal.db" in place for place in found["temporal"])
    assert found["log"] == ["log needle.log"]
    assert any("/registry/events/" in place for place in found["event"])
    assert any("/registry/configmaps/" in place for place in found["configmap"])
    assert "versions of Hosts" in found["status"]
    assert found["arguments"] == found["environment"] == ["arguments and environments"]
    assert any(" var/lib/kraut/" in place for place in found["host"])
    assert any(place.startswith("journal of") for place in found["journal"])


def post(desk, path, body):
    status, answer = desk.api.request("POST", path.format(desk.namespace), body)
    assert status == 201, answer
