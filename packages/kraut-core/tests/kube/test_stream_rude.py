"""What a watch does about answers that no healthy API server gives: an HTTP server on loopback that plays them."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kraut_core.errors import KrautError
from kraut_core.kube.client import KubeClient
from kraut_core.kube.replica import IDENTITIES, Change, Identity, Synced, Upserted
from kraut_core.kube.stream import SHORTEST_WATCH_SECONDS, Source, Stream, StreamOptions

PATH = "/apis/kraut.dev/v1alpha1/hosts"
HTML = b"<html>planted in an error page</html>"
STANDSTILL = b"nothing runs in this process for a while"


@pytest.fixture(autouse=True)
def every_end_is_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch that ends here ended at once, also when the test itself stood still before it noticed."""
    monkeypatch.setattr("kraut_core.kube.stream.SHORTEST_WATCH_SECONDS", 600.0)


@dataclass
class Answer:
    """One answer: a body in pieces; ``hold`` keeps the connection open afterwards, ``silent`` says nothing at all."""

    status: int = 200
    pieces: list[bytes] = field(default_factory=list)
    hold: bool = False
    silent: bool = False


def line(kind: str, version: int, **more: Any) -> bytes:
    metadata = {"name": "a", "namespace": "n", "uid": "u", "resourceVersion": str(version), **more}
    return json.dumps({"type": kind, "object": {"metadata": metadata}}).encode() + b"\n"


def initial(version: int) -> list[bytes]:
    end = line("BOOKMARK", version, annotations={"k8s.io/initial-events-end": "true"})
    return [line("ADDED", version - 1), end]


def event(kind: str, text: bytes) -> bytes:
    """An event whose object is this text, whatever it is."""
    return b'{"type":"%s","object":%s}\n' % (kind.encode(), text)


def status(code: int) -> bytes:
    return json.dumps({"kind": "Status", "code": code, "message": f"told {code}"}).encode()


def page(version: int) -> bytes:
    metadata = {"name": "a", "namespace": "n", "uid": "u", "resourceVersion": str(version)}
    return json.dumps({"metadata": {"resourceVersion": str(version)}, "items": [{"metadata": metadata}]}).encode()


@asynccontextmanager
async def playing(answers: list[Answer], folder: Path) -> AsyncIterator[tuple[str, list[Mapping[str, str]]]]:
    """A server that gives one answer after the other and notes what it was asked; the last one is held."""
    asked: list[Mapping[str, str]] = []
    over = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(dict(request.query))
        play = answers[min(len(asked), len(answers)) - 1]
        if play.silent:
            await over.wait()
        if play.pieces[:1] == [STANDSTILL]:
            await stand_still()
        response = web.StreamResponse(status=play.status)
        await response.prepare(request)
        for number, piece in enumerate(play.pieces):
            if piece is not STANDSTILL:
                await response.write(piece)
            elif number:
                await stand_still()
        if play.hold:
            await over.wait()
        return response

    app = web.Application()
    app.router.add_get(PATH, answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield write_kubeconfig(folder, runner.addresses[0][1]), asked
    finally:
        over.set()
        await runner.cleanup()


async def stand_still() -> None:
    """Nothing runs in this process, the client that has to wait included; then timers have their turn before anything is said."""
    for _ in range(100):
        await asyncio.sleep(0)
    time.sleep(1.5)
    for _ in range(3):
        await asyncio.sleep(0)


def write_kubeconfig(folder: Path, port: int) -> str:
    kubeconfig = folder / "kubeconfig"
    cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    users = [{"name": "u", "user": {"token": "t"}}]
    kubeconfig.write_text(
        json.dumps({"clusters": [cluster], "contexts": [context], "users": users, "current-context": "x"})
    )
    return str(kubeconfig)


class NoBackoff:
    """The waits are tested elsewhere."""

    def fail(self) -> float:
        return 0.0


async def play(
    answers: list[Answer],
    folder: Path,
    told: list[Change[Identity]] | None = None,
    options: StreamOptions | None = None,
) -> tuple[list[Mapping[str, str]], list[KrautError], Stream[Any]]:
    """Run a stream until the last answer was asked for and told everything; ``told`` gets the changes."""
    errors: list[KrautError] = []
    async with playing(answers, folder) as (kubeconfig, asked), KubeClient.connect(kubeconfig) as client:
        stream = Stream(
            client, Source(PATH), IDENTITIES, options=options, on_trouble=lambda error, _: errors.append(error)
        )
        stream._backoff = NoBackoff()  # type: ignore[assignment]

        async def read() -> None:
            async for batch in stream.changes():
                told.extend(batch) if told is not None else None

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            task = group.create_task(read())
            last = json.loads(answers[-1].pieces[-1].splitlines()[-1])["object"]["metadata"]["resourceVersion"]
            while len(asked) < len(answers) or not stream.synced or stream._replica.resource_version != last:
                await asyncio.sleep(0.01)
            task.cancel()
    return asked, errors, stream


def kinds_of(asked: list[Mapping[str, str]]) -> list[str]:
    return [
        "list" if "watch" not in query else "stream" if "sendInitialEvents" in query else query["resourceVersion"]
        for query in asked
    ]


@pytest.mark.fault(row=6, fault="429", invariants=("I1",))
@pytest.mark.fault(row=6, fault="5xx", invariants=("I1",))
@pytest.mark.fault(row=6, fault="HTML bodies", invariants=("I1",))
async def test_everything_that_is_not_a_watch_is_an_error_and_is_tried_again(tmp_path: Path) -> None:
    answers = [
        Answer(429, [status(429)]),
        Answer(502, [HTML]),
        Answer(200, [HTML + b"\n"]),
        Answer(200, []),
        Answer(200, [line("ADDED", 5)]),
        Answer(200, [page(10)]),
        Answer(200, [line("MODIFIED", 12)], hold=True),
    ]
    asked, errors, stream = await play(answers, tmp_path)
    assert [getattr(error, "status", None) for error in errors] == [429, 502, 0, 0, 0]
    assert "told 429" in str(errors[0])
    assert not any("planted" in str(error) for error in errors)
    assert stream.objects["n", "a"].resource_version == "12"
    # a refusal for overload or by a proxy says nothing against streaming; an answer that makes no sense does
    assert kinds_of(asked) == ["stream", "stream", "stream", "list", "stream", "list", "10"]


@pytest.mark.fault(row=6, fault="429", invariants=("I1",))
async def test_too_many_requests_resume_the_watch_and_do_not_read_everything_again(tmp_path: Path) -> None:
    answers = [Answer(200, initial(10)), Answer(429, [status(429)]), Answer(200, [line("MODIFIED", 12)], hold=True)]
    asked, _, stream = await play(answers, tmp_path)
    assert kinds_of(asked) == ["stream", "10", "10"]
    assert stream.objects["n", "a"].resource_version == "12"


@pytest.mark.fault(row=5, fault="410 with deletions missed", invariants=("I1",))
async def test_an_expired_version_reads_everything_again(tmp_path: Path) -> None:
    for expired in (
        Answer(410, [status(410)]),
        Answer(200, [json.dumps({"type": "ERROR", "object": {"code": 410, "message": "too old"}}).encode() + b"\n"]),
    ):
        asked, _, stream = await play(
            [Answer(200, initial(10)), expired, Answer(200, initial(20), hold=True)], tmp_path
        )
        assert kinds_of(asked) == ["stream", "10", "stream"]
        assert stream.objects["n", "a"].resource_version == "19"


async def test_a_server_that_refuses_streaming_is_listed(tmp_path: Path) -> None:
    answers = [
        Answer(422, [status(422)]),
        Answer(200, [page(10)]),
        Answer(200, [line("MODIFIED", 12)], hold=True),
    ]
    asked, _, stream = await play(answers, tmp_path)
    assert kinds_of(asked) == ["stream", "list", "10"]
    assert stream.objects["n", "a"].resource_version == "12"


async def test_a_watch_that_ends_at_once_is_a_failure_and_no_busy_loop(tmp_path: Path) -> None:
    answers = [
        Answer(200, initial(10)),
        *[Answer(200, []) for _ in range(3)],
        Answer(200, [line("MODIFIED", 12)], hold=True),
    ]
    asked, errors, _ = await play(answers, tmp_path)
    assert kinds_of(asked) == ["stream", "10", "10", "10", "10"]
    assert SHORTEST_WATCH_SECONDS == 1.0
    assert len(errors) == 4
    assert all("ended at once" in str(error) for error in errors)


NOT_UTF_8 = b'{"metadata":{"name":"\xff","namespace":"n","uid":"u","resourceVersion":"11"}}'
ENDLESS = b'{"metadata":{"name":"a"},"spec":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
BROKEN = {
    "bookmark without metadata": event("BOOKMARK", b"{}"),
    "bookmark without object": b'{"type":"BOOKMARK"}\n',
    "bookmark without version": event("BOOKMARK", b'{"metadata":{}}'),
    "bookmark with an empty version": event("BOOKMARK", b'{"metadata":{"resourceVersion":""}}'),
    "bookmark with a number as version": event("BOOKMARK", b'{"metadata":{"resourceVersion":5}}'),
    "error without object": event("ERROR", b"null"),
    "error with a text as code": event("ERROR", b'{"code":"410"}'),
    "error with a code beyond all integers": event("ERROR", b'{"code":%s}' % (b"9" * 5000)),
    "unknown type": event("FUTURE", b'{"metadata":{"name":"a"}}'),
    "a number as type": b'{"type":5,"object":{"metadata":{}}}\n',
    "a type that is not UTF-8": b'{"type":"\xff","object":{"metadata":{}}}\n',
    "not UTF-8": event("MODIFIED", NOT_UTF_8),
    "half a surrogate": event("MODIFIED", NOT_UTF_8.replace(b"\xff", b"\\ud800")),
    "nested without end": event("MODIFIED", ENDLESS),
}
"""Events after which nothing of the connection can be believed."""
LEFT_OUT = {
    "without object": b'{"type":"MODIFIED"}\n',
    "object that is a number": event("ADDED", b"5"),
    "object that is a list": event("ADDED", b"[]"),
    "object of another kind": event("ADDED", b'{"kind":"Status","metadata":{},"code":500}'),
    "null as metadata": event("DELETED", b'{"metadata":null}'),
    "a number as name": event("MODIFIED", b'{"metadata":{"name":7,"uid":"u","resourceVersion":"11"}}'),
    "no version": event("MODIFIED", b'{"metadata":{"name":"a","namespace":"n","uid":"u"}}'),
}
"""Events of which one object cannot be known; all others can."""


@pytest.mark.fault(row=5, fault="malformed events", invariants=("I1",))
@pytest.mark.parametrize("name", BROKEN)
async def test_an_event_that_is_none_ends_the_watch_which_is_resumed(name: str, tmp_path: Path) -> None:
    answers = [
        Answer(200, initial(10)),
        Answer(200, [BROKEN[name]], hold=True),
        Answer(200, [line("MODIFIED", 12)], hold=True),
    ]
    asked, errors, stream = await play(answers, tmp_path)
    assert kinds_of(asked) == ["stream", "10", "10"]
    assert str(errors[1]).startswith("expected a watch event")
    assert stream.objects["n", "a"].resource_version == "12"


PAGES_THAT_ARE_NONE = (
    b'{"metadata":{"continue":"\xff"},"items":[]}',
    ENDLESS,
    b'{"items":null}',
    b"5",
    # It would be believed that everything is gone, and there would be nothing to resume from.
    b'{"metadata":{},"items":[]}',
    b'{"metadata":{"resourceVersion":""},"items":[]}',
)


@pytest.mark.fault(row=5, fault="malformed events", invariants=("I1",))
async def test_what_begins_with_an_event_that_is_none_is_read_in_pages(tmp_path: Path) -> None:
    for page_that_is_none in PAGES_THAT_ARE_NONE:
        answers = [
            Answer(200, [event("BOOKMARK", b"{}")], hold=True),
            Answer(200, [page_that_is_none]),
            Answer(200, initial(10), hold=True),
        ]
        asked, errors, _ = await play(answers, tmp_path)
        assert kinds_of(asked) == ["stream", "list", "stream"]
        assert "expected a list" in str(errors[1])


@pytest.mark.parametrize("name", LEFT_OUT)
async def test_an_object_that_cannot_be_known_hides_no_other(name: str, tmp_path: Path) -> None:
    answers = [Answer(200, initial(10)), Answer(200, [LEFT_OUT[name], line("MODIFIED", 12)], hold=True)]
    asked, errors, stream = await play(answers, tmp_path)
    assert (kinds_of(asked), len(errors)) == (["stream", "10"], 1)
    assert {key: found.resource_version for key, found in stream.objects.items()} == {("n", "a"): "12"}
    assert stream.undecodable == 1


@pytest.mark.parametrize("end", [BROKEN["bookmark without metadata"], event("ERROR", b'{"code":410}')])
async def test_what_came_before_the_event_that_ends_a_watch_is_told(end: bytes, tmp_path: Path) -> None:
    """The next attempt resumes after it, or finds it known: nobody would hear of it again."""
    told: list[Change[Identity]] = []
    answers = [
        Answer(200, initial(10)),
        Answer(200, [line("MODIFIED", 12) + end], hold=True),
        Answer(200, initial(13), hold=True),
    ]
    await play(answers, tmp_path, told)
    versions = [change.new.resource_version for change in told if isinstance(change, Upserted)]
    assert versions[:2] == ["9", "12"]
    assert any(isinstance(change, Synced) for change in told)


async def test_a_watch_is_resumed_for_an_hour_and_then_everything_is_read_again(tmp_path: Path) -> None:
    answers = [
        Answer(200, initial(10)),
        Answer(200, initial(15)),
        Answer(200, initial(20), hold=True),
    ]
    asked, _, _ = await play(answers, tmp_path, options=StreamOptions(relist_seconds=0))
    assert kinds_of(asked) == ["stream", "stream", "stream"]
    assert StreamOptions().relist_seconds == 3600


@pytest.mark.fault(row=4, fault="half-open watch", invariants=("I1",))
@pytest.mark.parametrize(
    "page", [Answer(200, silent=True), Answer(200, [b'{"metadata":{"resourceVersion":"9"},'], hold=True)]
)
async def test_a_page_of_a_list_that_does_not_come_is_asked_for_again(
    page: Answer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its beginning, nor its end: the deadline is of the whole page."""
    monkeypatch.setattr("kraut_core.kube.stream.PAGE_SECONDS", 0.5)
    answers = [Answer(422, [status(422)]), page, Answer(200, initial(20), hold=True)]
    asked, errors, stream = await play(answers, tmp_path)
    assert kinds_of(asked)[:2] == ["stream", "list"]
    assert [getattr(error, "status", None) for error in errors[:2]] == [422, 0]
    assert "no answer" in str(errors[1])
    assert stream.objects["n", "a"].resource_version == "19"


async def test_a_watch_whose_answer_does_not_begin_is_asked_for_again(tmp_path: Path) -> None:
    answers = [Answer(200, silent=True), Answer(200, initial(20), hold=True)]
    options = StreamOptions(idle_seconds=0.5, watch_seconds=(1200, 1200))
    asked, errors, _ = await play(answers, tmp_path, options=options)
    assert kinds_of(asked)[:2] == ["stream", "stream"]
    assert "no answer" in str(errors[0])


@pytest.mark.parametrize("before", [0, 1])
async def test_a_process_that_stands_still_hears_what_came_meanwhile(before: int, tmp_path: Path) -> None:
    """The answer's beginning as well as what comes later: nobody was silent."""
    pieces = initial(20)
    answers = [Answer(200, [*pieces[:before], STANDSTILL, *pieces[before:]], hold=True)]
    options = StreamOptions(idle_seconds=1, watch_seconds=(1200, 1200))
    asked, errors, _ = await play(answers, tmp_path, options=options)
    assert errors == []
    assert kinds_of(asked) == ["stream"]


async def test_the_pause_after_a_failure_is_what_the_backoff_says(tmp_path: Path) -> None:
    """With the backoff that is shipped: each wait is told, kept before the next request, and longer than the last one's least."""
    waits: list[float] = []
    asked_at: list[float] = []
    answers = [*[Answer(503, [status(503)])] * 3, Answer(200, initial(10), hold=True)]
    async with playing(answers, tmp_path) as (kubeconfig, asked), KubeClient.connect(kubeconfig) as client:
        stream = Stream(client, Source(PATH), IDENTITIES, on_trouble=lambda _, seconds: waits.append(seconds))

        async def note() -> None:
            while True:
                if len(asked) > len(asked_at):
                    asked_at.append(time.monotonic())
                await asyncio.sleep(0.001)

        noting = asyncio.create_task(note())
        async with asyncio.timeout(60), aclosing(stream.changes()) as batches:
            await anext(batches)
            while len(asked_at) < len(answers):
                await asyncio.sleep(0.001)
        noting.cancel()
    assert len(waits) == 3
    assert all(0.8 * 2**number <= wait <= 1.6 * 2**number for number, wait in enumerate(waits))
    # A look may come a little after what it looks for.
    between = [after - before for before, after in pairwise(asked_at)]
    assert all(pause >= wait - 0.2 for pause, wait in zip(between, waits, strict=True))
    assert stream.restarts == 3


def test_the_default_deadlines_fit_what_the_api_server_sends() -> None:
    """Row 4, "noticed within 75 s": bookmarks come each minute, 5 s are left for what the network adds."""
    defaults = StreamOptions()
    assert 60 < defaults.idle_seconds == 70
    assert defaults.idle_seconds + 5 <= 75
    assert defaults.connect_seconds <= 10


@asynccontextmanager
async def interrupted(intruder: bytes, heard: asyncio.Event, folder: Path) -> AsyncIterator[str]:
    """A server whose first watch carries what exists, and once that is heard the intruder, and ends; the second goes on."""
    answers = [chunked(*initial(10)), chunked(line("MODIFIED", 12))]
    over = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answers.pop(0))
        await (heard if answers else over).wait()
        writer.write(intruder if answers else b"")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield write_kubeconfig(folder, server.sockets[0].getsockname()[1])
    finally:
        over.set()
        server.close()
        await server.wait_closed()


def chunked(*pieces: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


@pytest.mark.fault(row=4, fault="half-open watch", invariants=("I1",))
@pytest.mark.fault(row=6, fault="HTML bodies", invariants=("I1",))
@pytest.mark.parametrize("intruder", [HTML, b"ZZZ\r\n", b"5\r\nabc"])
async def test_what_is_no_chunk_is_silence_and_is_noticed_as_such(intruder: bytes, tmp_path: Path) -> None:
    """A gateway writes into the watch and hangs up; the HTTP library then waits for what can never come."""
    errors: list[KrautError] = []
    heard = asyncio.Event()
    # The request as a whole may take twenty minutes: only the deadline of silence is near.
    patient = StreamOptions(idle_seconds=600, watch_seconds=(1200, 1200))

    def note(error: KrautError, _: float) -> None:
        errors.append(error)
        stream._options = patient

    async with interrupted(intruder, heard, tmp_path) as kubeconfig, KubeClient.connect(kubeconfig) as client:
        stream = Stream(client, Source(PATH), IDENTITIES, options=patient, on_trouble=note)
        stream._backoff = NoBackoff()  # type: ignore[assignment]
        async with asyncio.timeout(150), aclosing(stream.changes()) as batches:
            async for _ in batches:
                if not heard.is_set():
                    # Only from here until it is noticed: a test that stands still at another time is no silence.
                    stream._options = replace(patient, idle_seconds=1)
                    heard.set()
                if stream._replica.resource_version == "12":
                    break
    assert len(errors) == 1
    assert not any("planted" in str(error) for error in errors)
