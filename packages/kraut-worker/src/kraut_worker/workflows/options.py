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

RUN_OPERATION = ActivityOptions(
    start_to_close_timeout=timedelta(hours=26), heartbeat_timeout=timedelta(seconds=30), retry_policy=FOREVER
)
"""Longer than any operation may take: the host ends its unit itself after a day."""

SWEEP = ActivityOptions(
    start_to_close_timeout=timedelta(hours=2), heartbeat_timeout=timedelta(seconds=30), retry_policy=FOREVER
)

REPORT = ActivityOptions(
    start_to_close_timeout=timedelta(minutes=1), heartbeat_timeout=timedelta(seconds=20), retry_policy=FOREVER
)

SITE_PATIENCE = timedelta(seconds=90)
"""How long an activity waits for a worker of its site before the host's status says that none serves it."""

LINGER = timedelta(seconds=20)
"""How long a workflow with nothing to do stays open, so that a burst of changes costs one run."""
