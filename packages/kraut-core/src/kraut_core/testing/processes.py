"""What tests of several packages need to start processes."""

import sys
from typing import Final

GUARD: Final = ("setpriv", "--pdeathsig=KILL") if sys.platform == "linux" else ()
"""Words in front of a command that end it with the thread that started it, also when a test run is killed (PR_SET_PDEATHSIG).

setpriv(1) becomes the command, which so keeps its process id.
"""
