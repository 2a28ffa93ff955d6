"""When a host that was worked on counts as back (pure): its boot is over, and it has stayed up long enough."""

from datetime import UTC, datetime, timedelta

from kraut_core.api.conditions import READY, find
from kraut_worker.planning import verdicts
from kraut_worker.planning.clock import is_credible
from kraut_worker.planning.decision import Decision
from kraut_worker.planning.retries import newest
from kraut_worker.planning.scene import Scene, Situation
from kraut_worker.planning.settle import deadline_passed


def coming_up(situation: Situation) -> Decision | None:
    """The first login is not the end of a reboot: services start, and what they mount or check may still fail.

    A unit that never gets ready does not hold the place for ever: progressDeadlineSeconds count from the decision to reboot.
    """
    if not is_coming_up(situation):
        return None
    message = "the host answers after its reboot, and systemd is still starting it"
    return Decision("Wait", verdicts.STABILIZING, message, progressing=True, recheck=timedelta(seconds=2))


def is_coming_up(situation: Situation) -> bool:
    """Whether the host was just rebooted and its boot is not over."""
    scene = situation.scene
    last = newest(situation.operations)
    if scene.observation is None or not scene.observation.starting or last is None:
        return False
    rebooted = last.type == "Reboot" and last.result == "Succeeded"
    return rebooted and not deadline_passed(last, scene.policy.progress_deadline_seconds, scene.now)


def steadiness(situation: Situation) -> Decision | None:
    """A host that was just worked on must prove to stay up for minReadySeconds."""
    scene = situation.scene
    last = newest(situation.operations)
    if last is None or last.completion_time is None or last.result != "Succeeded":
        return None
    since = max(last.completion_time, _ready_since(scene))
    left = since + timedelta(seconds=scene.policy.min_ready_seconds) - scene.now
    if left <= timedelta():
        return None
    message = (
        f"up again; observed for minReadySeconds ({scene.policy.min_ready_seconds} s) before the next host may start"
    )
    return Decision("Wait", verdicts.STABILIZING, message, progressing=True, recheck=left)


def _ready_since(scene: Scene) -> datetime:
    ready = find(scene.host.status.conditions, READY) if scene.host.status else None
    if ready is None or ready.status != "True":
        return scene.now
    since = ready.last_transition_time
    return since if is_credible(since, scene.now) else datetime.min.replace(tzinfo=UTC)
