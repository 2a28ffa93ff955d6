"""Timeouts and retries of every activity, in one place."""

from datetime import timedelta
from typing import TypedDict

from temporalio.common import RetryPolicy

FOREVER = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=60)
)
"""An activity fails only by a bug, a lost worker or an API server away; none of them is a reason to give a host up."""


class ActivityOptions(TypedDict):
    """The options that are set for an activity; the task queue is chosen per call."""

    start_to_close_timeout: timedelta
    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy


ASSESS = ActivityOptions(
    start_to_close_timeout=timedelta(minutes=10), heartbeat_timeout=timedelta(seconds=20), retry_policy=FOREVER
)
"""Connect, gather facts (fetching package lists may take minutes), decide, write status."""

ASSESS_CLUSTER = ActivityOptions(
    start_to_close_timeout=timedelta(minutes=3), heartbeat_timeout=timedelta(seconds=20), retry_policy=FOREVER
)
"""Get a token, ask four questions with ten seconds each, write status."""

RUN_OPERATION = ActivityOptions(
    start_to_close_timeout=timedelta(hours=26), heartbeat_timeout=timedelta(seconds=30), retry_policy=FOREVER
)
"""Longer than any operation may take: the host ends its unit itself after a day."""


def sweep_options(spread_seconds: float) -> ActivityOptions:
    """A sweep may take as long as it is spread over, and an hour for the API servers to answer."""
    return ActivityOptions(
        start_to_close_timeout=timedelta(seconds=spread_seconds, hours=1),
        heartbeat_timeout=timedelta(seconds=30),
        retry_policy=FOREVER,
    )


REPORT = ActivityOptions(
    start_to_close_timeout=timedelta(minutes=1), heartbeat_timeout=timedelta(seconds=20), retry_policy=FOREVER
)

ORDER_PATIENCE = timedelta(minutes=10)
"""How long an operation waits for a worker of its site to take it up; then the host is assessed afresh."""

SITE_LOOKS = 10
"""After so many looks in a row for a worker of the site, only the sweeps look again."""

SITE_PAUSE_SECONDS = 60.0
"""Between two of these looks; a corrected spec.site is a signal and ends the pause."""
