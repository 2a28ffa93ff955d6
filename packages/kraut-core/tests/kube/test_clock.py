"""The API server's clock, as its answers tell it."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from kraut_core.kube import clock
from kraut_core.kube.client import KubeClient
from kraut_core.kube.clock import SharedClock


class OwnClock:
    """This machine's clock and the monotonic one, turned by hand."""

    def __init__(self) -> None:
        self.wall, self.ran = datetime(2026, 1, 1, tzinfo=UTC), 0.0

    def now(self, _: object) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.ran

    def passes(self, seconds: float, *, ran: bool = True) -> None:
        self.wall += timedelta(seconds=seconds)
        self.ran += seconds if ran else 0


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> OwnClock:
    own = OwnClock()
    monkeypatch.setattr(clock, "datetime", own)
    monkeypatch.setattr(clock, "time", own)
    return own


def heard(own: OwnClock, shared: SharedClock, *, ahead: float, took: float = 0.1, ran: bool = True) -> float:
    """Ask a server whose clock is so far ahead; by how much the time is corrected afterwards."""
    sent = shared.moment()
    date = format_datetime(own.wall + timedelta(seconds=ahead), usegmt=True)
    own.passes(took, ran=ran)
    shared.hear(date, sent)
    return (shared.now() - own.wall).total_seconds()


@pytest.mark.parametrize("ahead", [600, -600, 5, -86_400])
def test_a_clock_that_differs_is_followed(ahead: float, own: OwnClock) -> None:
    assert abs(heard(own, SharedClock(), ahead=ahead) - ahead) < 1


@pytest.mark.parametrize("ahead", [0, 1, -1])
def test_clocks_that_agree_are_left_alone(ahead: float, own: OwnClock) -> None:
    assert heard(own, SharedClock(), ahead=ahead) == 0


def test_a_clock_that_was_set_right_is_believed_again(own: OwnClock) -> None:
    shared = SharedClock()
    assert heard(own, shared, ahead=600) > 0
    assert heard(own, shared, ahead=0) == 0


@pytest.mark.parametrize(("took", "ran"), [(2.5, True), (600, False), (-600, False)])
def test_an_answer_that_is_old_is_not_believed(took: float, ran: bool, own: OwnClock) -> None:
    assert heard(own, SharedClock(), ahead=600, took=took, ran=ran) == 0


@pytest.mark.parametrize("date", [None, "", "soon", "Wed, 99 Oct 2015 07:28:00 GMT"])
def test_what_is_no_date_changes_nothing(date: str | None, own: OwnClock) -> None:
    shared = SharedClock()
    shared.hear(date, shared.moment())
    assert shared.now() == own.wall


@pytest.fixture
async def late(tmp_path: Path) -> AsyncIterator[str]:
    """The kubeconfig of a server whose clock is ten minutes ahead."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        date = format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nDate: %s\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}" % date)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    users = [{"name": "u", "user": {"token": "t"}}]
    document = {"clusters": [cluster], "contexts": [context], "users": users, "current-context": "x"}
    (tmp_path / "kubeconfig").write_text(json.dumps(document))
    yield str(tmp_path / "kubeconfig")
    server.close()
    await server.wait_closed()


async def test_the_client_tells_the_time_of_its_server(late: str) -> None:
    async with KubeClient.connect(late) as client:
        before = client.now() - datetime.now(UTC)
        await client.get_raw("/version")
        after = client.now() - datetime.now(UTC)
    assert abs(before) < timedelta(minutes=1)
    assert timedelta(minutes=9) < after < timedelta(minutes=11)
