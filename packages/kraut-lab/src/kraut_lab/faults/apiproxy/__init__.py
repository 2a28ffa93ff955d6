"""An API server that lies: a proxy that drops and repeats events, cuts lines, and answers with what was."""

from kraut_lab.faults.apiproxy.lies import Lies, Refusal
from kraut_lab.faults.apiproxy.server import LyingApiServer

__all__ = ["Lies", "LyingApiServer", "Refusal"]
