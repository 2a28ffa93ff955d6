"""When work that disrupts may start: windows and exclusions, shared by Host and Cluster."""

from typing import Literal

from pydantic import Field

from kraut_core.api.meta import Time, WireModel

CRON_PATTERN = r"^[0-9*/,\-A-Za-z#]+( +[0-9*/,\-A-Za-z#]+){4}$"
DURATION_PATTERN = r"^([0-9]{1,4}h)?([0-9]{1,4}m)?$"


class MaintenanceWindow(WireModel):
    """A recurring span of time in which disruptive work may start."""

    start: str = Field(
        min_length=9,
        max_length=128,
        pattern=CRON_PATTERN,
        description="When the window opens: five cron fields (crontab(5)), in timeZone.",
    )
    duration: str = Field(
        min_length=2,
        max_length=10,
        pattern=DURATION_PATTERN,
        description="How long it stays open, in hours and minutes: 4h, 90m, 1h30m.",
    )
    time_zone: str = Field(
        default="UTC",
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9_+\-/]+$",
        description="IANA time zone name, as in CronJob. Default UTC.",
    )


class MaintenanceExclusion(WireModel):
    """A span of time in which nothing disruptive starts, whatever the windows say (a change freeze)."""

    start: Time = Field(description="First moment of the exclusion.")
    end: Time = Field(description="First moment after the exclusion.")


class Maintenance(WireModel):
    """Windows and exclusions; without windows every moment that is not excluded will do."""

    windows: list[MaintenanceWindow] = Field(
        default_factory=list,
        max_length=16,
        description="Disruptive work starts inside one of these only; none means any time.",
    )
    exclusions: list[MaintenanceExclusion] = Field(
        default_factory=list, max_length=64, description="Disruptive work never starts inside one of these."
    )


UpdatePolicy = Literal["None", "Security", "All"]
RebootPolicy = Literal["IfRequired", "Always", "Never"]


class OperatingSystem(WireModel):
    """What kraut does to the operating system of a host."""

    updates: UpdatePolicy = Field(
        default="None",
        description="Which package updates are installed: None (only reported), Security (from the distribution's security archive), All (never removes a package).",
    )
    reboot_policy: RebootPolicy = Field(
        default="IfRequired",
        description="IfRequired reboots when the host asks for it; Always after each installation of updates; Never only reports it.",
    )
