"""When work that disrupts may start: windows and exclusions, shared by Host and Cluster."""

import re
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from kraut_core.api.meta import Time, WireModel

DURATION_PATTERN: Final = r"^([1-9][0-9]{0,3}h)?([1-9][0-9]{0,3}m)?$"
TIME_ZONE_PATTERN: Final = r"^[A-Za-z0-9_+\-]+(/[A-Za-z0-9_+\-]+)*$"


def _cron_field(value: str, special: str = "") -> str:
    """One field of crontab(5): a list of ``*``, values and ranges with an optional step, and of ``special``."""
    item = rf"(\*|({value})(-({value}))?)(/[1-9][0-9]?)?"
    item = f"({item}|{special})" if special else item
    return f"{item}(,{item})*"


_MONTH: Final = "0?[1-9]|1[0-2]|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC"
_DAY: Final = "[0-7]|SUN|MON|TUE|WED|THU|FRI|SAT"

CRON_EXPRESSION: Final = "(?i)^{} +{} +{} +{} +{}$".format(
    _cron_field("[0-5]?[0-9]"),
    _cron_field("[01]?[0-9]|2[0-3]"),
    _cron_field("0?[1-9]|[12][0-9]|3[01]", special="LW?"),
    _cron_field(_MONTH),
    _cron_field(_DAY, special=f"({_DAY})#[1-5]|[0-7]L"),
)
"""Five cron fields, with ``L`` (the month's last day), ``LW`` (its last weekday), ``SUN#1`` (first Sunday), ``0L`` (last Sunday).

The same text is a regular expression of Python and of CEL (RE2). A rule and not a pattern, whose message would be this.
"""

START_MESSAGE: Final = "start must be five cron fields (crontab(5)): minute, hour, day of the month, month, day of the week; for example 0 22 * * SAT"
TIME_ZONE_MESSAGE: Final = "timeZone must be an IANA time zone, for example Europe/Berlin"


def _cron(value: str) -> str:
    if re.fullmatch(CRON_EXPRESSION, value):
        return value
    raise ValueError(f"{START_MESSAGE}; found {value!r}")


def _known_time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # no such file, a folder, no such name
        raise ValueError(f"{TIME_ZONE_MESSAGE}; found {name!r}") from None
    return name


CronExpression = Annotated[str, Field(min_length=9, max_length=128), AfterValidator(_cron)]
TimeZone = Annotated[
    str, Field(min_length=1, max_length=64, pattern=TIME_ZONE_PATTERN), AfterValidator(_known_time_zone)
]


def _rules(*rules: tuple[str, str]) -> ConfigDict:
    """CEL rules of a type, wherever a kind uses it."""
    return ConfigDict(
        json_schema_extra={"x-kubernetes-validations": [{"rule": rule, "message": text} for rule, text in rules]}
    )


class MaintenanceWindow(WireModel):
    """A recurring span of time in which disruptive work may start."""

    model_config = _rules(
        (f"self.start.matches(r'{CRON_EXPRESSION}')", START_MESSAGE),
        # a zone that Go does not know is an error of the rule, and so a refusal
        (
            "self.timeZone != 'Local' && timestamp('2026-01-01T00:00:00Z').getHours(self.timeZone) >= 0",
            TIME_ZONE_MESSAGE,
        ),
    )

    start: CronExpression = Field(
        description="When the window opens: five cron fields (crontab(5)) in timeZone; SUN#1 is the month's first Sunday, 0L its last, L its last day.",
    )
    duration: str = Field(
        min_length=2,
        max_length=10,
        pattern=DURATION_PATTERN,
        description="How long it stays open, in hours and minutes, without leading zeros: 4h, 90m, 1h30m.",
    )
    time_zone: TimeZone = Field(default="UTC", description="IANA time zone name, as in CronJob. Default UTC.")


class MaintenanceExclusion(WireModel):
    """A span of time in which nothing disruptive starts, whatever the windows say (a change freeze)."""

    model_config = _rules(("self.end > self.start", "end must be after start"))

    start: Time = Field(description="First moment of the exclusion.")
    end: Time = Field(description="First moment after the exclusion.")

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> Self:
        if self.end <= self.start:
            raise ValueError(f"end must be after start, found {self.start.isoformat()} to {self.end.isoformat()}")
        return self


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
