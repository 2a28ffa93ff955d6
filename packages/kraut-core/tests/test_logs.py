"""Logs: one stream for structlog and logging, JSON unless a person looks, and no secrets."""

import io
import json
import logging
import warnings

import pytest
import structlog

from kraut_core.logs import configure_logs
from kraut_core.settings import LogSettings

PEM = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def restore_logging():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def configured(**settings):
    stream = io.StringIO()
    configure_logs(LogSettings(**settings), component="test", stream=stream)
    return stream


def test_an_event_is_one_json_object_with_its_values():
    stream = configured()
    structlog.get_logger("kraut.operator").info("dispatched", kind="Host", name="web-1")
    (record,) = lines(stream)
    assert record["event"] == "dispatched"
    assert (record["kind"], record["name"], record["level"], record["component"], record["logger"]) == (
        "Host",
        "web-1",
        "info",
        "test",
        "kraut.operator",
    )
    assert record["timestamp"].endswith("Z")


def test_records_of_the_standard_library_take_the_same_way():
    stream = configured()
    logging.getLogger("lib").warning("slow by %d ms", 7)
    (record,) = lines(stream)
    assert (record["event"], record["level"], record["logger"]) == ("slow by 7 ms", "warning", "lib")


def test_warnings_are_logged():
    stream = configured()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    assert "old" in lines(stream)[0]["event"]


def test_level_silences_and_debug_never_opens_chatty_libraries():
    stream = configured(level="debug")
    structlog.get_logger().debug("seen")
    logging.getLogger("kubernetes_asyncio.client.rest").debug("response body: %s", "a Secret")
    assert [record["event"] for record in lines(stream)] == ["seen"]
    stream = configured(level="warning")
    structlog.get_logger().info("unseen")
    assert lines(stream) == []


def test_a_terminal_gets_lines_and_a_pipe_gets_json():
    stream = Terminal()
    configure_logs(LogSettings(), component="test", stream=stream)
    structlog.get_logger().info("dispatched", name="web-1")
    assert "dispatched" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_a_terminal_gets_tracebacks_too():
    stream = Terminal()
    configure_logs(LogSettings(), component="test", stream=stream)
    try:
        raise ValueError("no such host")
    except ValueError:
        structlog.get_logger().exception("failed")
    assert "ValueError: no such host" in stream.getvalue()


def test_secrets_are_blanked_in_keys_values_messages_and_tracebacks():
    stream = configured()
    log = structlog.get_logger()
    log.info("read", password="hunter2", data={"ssh-privatekey": "hunter2", "nested": [{"apiKey": "hunter2"}]})
    log.info("connect", header="Authorization: Bearer hunter2hunter2", fencing_token=7)
    logging.getLogger("lib").error("loaded %s", PEM)
    try:
        local = "".join(reversed("2retnuh"))
        raise ValueError(PEM.replace("b3B", local))
    except ValueError:
        log.exception("failed")
    text = stream.getvalue()
    assert "hunter2" not in text
    assert "b3BlbnNz" not in text
    assert lines(stream)[1]["fencing_token"] == 7
    assert "ValueError" in lines(stream)[3]["exception"]
