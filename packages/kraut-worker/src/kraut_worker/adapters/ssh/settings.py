"""The settings group of the SSH adapter (``KRAUT_SSH_*``)."""

from pydantic import Field

from kraut_core.settings import SettingsGroup


class SshSettings(SettingsGroup):
    """How hosts are reached over SSH."""

    connect_timeout_seconds: float = Field(
        default=10,
        gt=0,
        le=300,
        description="How long a TCP connection to sshd may take, in seconds. Default 10: a host that is up answers in milliseconds.",
    )
    login_timeout_seconds: float = Field(
        default=30,
        gt=0,
        le=600,
        description="How long key exchange and authentication may take after that, in seconds. Default 30: a slow DNS behind UseDNS or PAM takes several.",
    )
    keepalive_interval_seconds: float = Field(
        default=15,
        gt=0,
        le=600,
        description="After how much silence the host is asked whether it is there, in seconds. Default 15.",
    )
    keepalive_count: int = Field(
        default=3,
        ge=1,
        le=20,
        description="Unanswered keepalives after which a connection is given up. Default 3: a dead host is noticed within a minute.",
    )
    max_handshakes: int = Field(
        default=16,
        ge=1,
        le=1024,
        description="How many connections are opened at the same time. Default 16: a key exchange costs both sides processor time, and a jump host drops bursts (sshd's MaxStartups).",
    )
    handshake_seconds: float = Field(
        default=5,
        gt=0,
        le=600,
        description="How long a login counts among max_handshakes at most, in seconds; it goes on after that. Default 5: a host that hangs in its login holds up no other for longer.",
    )
    max_sessions: int = Field(
        default=8,
        ge=1,
        le=1024,
        description="How many commands run at the same time on one connection. Default 8, under sshd's MaxSessions of 10.",
    )
    idle_seconds: float = Field(
        default=60,
        ge=0,
        le=86400,
        description="How long an unused connection is kept, in seconds. Default 60: one reconciliation reuses its connection, sweeps do not hold thousands open.",
    )
