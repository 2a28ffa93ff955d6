"""What work that succeeded did not achieve (pure).

The sentence stands in the operation's message. As long as the host still says just the same, doing the same again would be
in vain: updates that apt keeps back, a kernel that the boot loader does not start. Without this a host would reboot for ever.
"""

from kraut_core.api.maintenance import UpdatePolicy
from kraut_core.api.v1alpha1.host import OperationType
from kraut_worker.planning.scene import Observation, Scene

SHOWN = 10
"""Names in a sentence at most."""


def left_over(type_: OperationType, scene: Scene) -> str:
    """What an operation of this type has left undone; empty when nothing."""
    observation = scene.observation
    if observation is None:
        return ""
    if type_ == "Reboot":
        return still_required(observation)
    return still_pending(observation, scene.host.spec.operating_system.updates)


def still_pending(observation: Observation, updates: UpdatePolicy) -> str:
    """Updates of the kind that is wished for, which the host would install now; empty when there are none."""
    packages = observation.packages
    if packages is None:
        return ""
    if packages.broken:
        return "the package database still needs repair"
    if updates == "Security":
        return _listed(packages.security, "security updates", observation.security_names)
    return _listed(packages.pending, "updates", observation.pending_names)


def _listed(count: int, what: str, names: tuple[str, ...]) -> str:
    if not count:
        return ""
    shown = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
    return f"still pending: {count} {what}" + (f" ({shown})" if shown else "")


def still_required(observation: Observation) -> str:
    """The reboot that the host asks for; empty when it does not."""
    if not observation.reboot_required:
        return ""
    by = ", ".join(observation.reboot_required_by[:5])
    return "the host still asks for a reboot" + (f" for {by}" if by else "")
