"""A process full of SSH servers that behave like sshd, on addresses of their own in 127.0.0.0/8; some are slow or half-dead.

usage: python farm.py FOLDER '{"healthy": 150, "slow": 10, "mute": 20, "stuck": 10, "dying": 10}'

It writes FOLDER/key (the client's private key) and FOLDER/hosts.json, prints "ready" and serves until it is killed.

healthy  has a host key and a machine id of its own, and answers every fact as a recorded host did
slow     the same behind 150 ms and 56 kbit/s, in each direction
mute     accepts TCP and says nothing
stuck    sends its banner and says nothing more
dying    the connection is reset somewhere on the way
"""

import asyncio
import json
import random
import re
import socket
import struct
import sys
from functools import partial
from pathlib import Path

import asyncssh

from kraut_worker.testing import ScriptedShell, load_transcripts

MARKER = re.compile(r"printf '%s %s\\n' ([0-9a-f]{32}) \"\$\(id -u\)\"")
RECORDED_ID = re.compile(rb"(?m)^machineID=[0-9a-f]{32}$")
SECONDS_OF_LATENCY = 0.15
BYTES_PER_SECOND = 7_000
RECORDED = {
    transcript.fact: transcript.answer
    for transcript in load_transcripts(Path(__file__).parents[2] / "facts")
    if transcript.case == "bookworm-pending"
}


def address(number):
    """One of its own for each host."""
    return f"127.{64 + number // 250}.{number % 250 + 1}.1"


async def serve(number, authorized, host):
    """An sshd: public keys only, one command, a root shell that answers from recordings."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    machine_id = f"{number:032x}"

    async def answer(process):
        script = (await process.stdin.read()).decode()
        marker = MARKER.search(script)
        if process.command != "sudo -n -- /bin/sh -s":
            process.exit(126)
        elif marker:
            process.stdout.write(f"{marker[1]} 0\n{machine_id}\n".encode())
            process.exit(0)
        else:
            result = await ScriptedShell(facts=RECORDED).run(script, timeout_seconds=60)
            process.stdout.write(RECORDED_ID.sub(f"machineID={machine_id}".encode(), result.stdout))
            process.stderr.write(result.stderr)
            process.exit(result.exit_status)

    acceptor = await asyncssh.listen(
        host,
        0,
        server_host_keys=[key],
        authorized_client_keys=authorized,
        process_factory=answer,
        encoding=None,
        login_timeout=300,
    )
    return acceptor.get_port(), key.export_public_key().decode().strip(), machine_id


async def relay(pump, target, reader, writer):
    """Connect to the server behind and pass bytes both ways, as ``pump`` does."""
    try:
        upstream_reader, upstream_writer = await asyncio.open_connection(*target)
        await asyncio.gather(pump(reader, upstream_writer), pump(upstream_reader, writer))
    except OSError:
        pass
    finally:
        writer.close()


async def slowly(reader, writer):
    while chunk := await reader.read(700):
        await asyncio.sleep(SECONDS_OF_LATENCY if len(chunk) < 700 else len(chunk) / BYTES_PER_SECOND)
        writer.write(chunk)
    writer.close()


def until_death(left):
    async def pump(reader, writer):
        nonlocal left
        while chunk := await reader.read(200):
            left -= len(chunk)
            writer.write(chunk)
            if left < 0:
                raw = writer.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
                return

    return pump


async def say_nothing(banner, reader, writer):
    writer.write(banner)
    await reader.read()  # until the client's banner, if it sends one
    await asyncio.Event().wait()


async def make(kind, number, authorized, chance):
    if kind in ("mute", "stuck"):
        banner = b"SSH-2.0-OpenSSH_9.2p1\r\n" if kind == "stuck" else b""
        server = await asyncio.start_server(partial(say_nothing, banner), address(number), 0)
        _, key, machine_id = 0, asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip(), ""
        port = server.sockets[0].getsockname()[1]
    elif kind == "healthy":
        port, key, machine_id = await serve(number, authorized, address(number))
    else:
        behind, key, machine_id = await serve(number, authorized, "127.0.0.1")

        async def accept(reader, writer):
            pump = slowly if kind == "slow" else until_death(chance.randrange(12_000))
            await relay(pump, ("127.0.0.1", behind), reader, writer)

        server = await asyncio.start_server(accept, address(number), 0)
        port = server.sockets[0].getsockname()[1]
    return {"kind": kind, "address": address(number), "port": port, "hostKey": key, "machineID": machine_id}


async def main(folder, counts):
    client = asyncssh.generate_private_key("ssh-ed25519")
    (folder / "key").write_bytes(client.export_private_key())
    authorized = asyncssh.import_authorized_keys(client.export_public_key().decode())
    chance = random.Random(1)
    kinds = [kind for kind, count in counts.items() for _ in range(count)]
    chance.shuffle(kinds)
    hosts = [await make(kind, number, authorized, chance) for number, kind in enumerate(kinds)]
    (folder / "hosts.json").write_text(json.dumps(hosts))
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), json.loads(sys.argv[2])))
