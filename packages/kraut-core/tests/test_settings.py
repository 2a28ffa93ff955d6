"""Settings: names of variables, defaults, and sentences for what cannot be."""

import os
from pathlib import Path

import pytest
from pydantic import Field

from kraut_core.settings import (
    HomeSettings,
    KubeSettings,
    LogSettings,
    ProbeSettings,
    Settings,
    SettingsError,
    TemporalSettings,
    describe_settings,
    load_settings,
)


class Everything(Settings):
    kube: KubeSettings = Field(default_factory=KubeSettings)
    temporal: TemporalSettings = Field(default_factory=TemporalSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    probe: ProbeSettings = Field(default_factory=lambda: ProbeSettings(port=9999))
    home: HomeSettings = Field(default_factory=HomeSettings)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith("KRAUT_")]:
        monkeypatch.delenv(name)


def test_defaults_need_no_environment():
    settings = load_settings(Everything)
    assert settings.temporal.address == "localhost:7233"
    assert settings.kube.kubeconfig is None
    assert settings.probe.port == 9999


def test_variables_set_fields_with_several_words(monkeypatch):
    monkeypatch.setenv("KRAUT_TEMPORAL_ADDRESS", "temporal.example.com:443")
    monkeypatch.setenv("KRAUT_TEMPORAL_API_KEY_FILE", "/run/secrets/temporal")
    monkeypatch.setenv("KRAUT_PROBE_PORT", "0")
    settings = load_settings(Everything)
    assert settings.temporal.address == "temporal.example.com:443"
    assert settings.temporal.api_key_file == Path("/run/secrets/temporal")
    assert settings.probe.port == 0
    # one variable of a group leaves the group's other fields at their defaults
    assert settings.temporal.namespace == "default"
    assert settings.probe.host


def test_an_empty_variable_is_an_absent_one(monkeypatch):
    monkeypatch.setenv("KRAUT_PROBE_PORT", "")
    monkeypatch.setenv("KRAUT_HOME_ID", "")
    settings = load_settings(Everything)
    assert settings.probe.port == 9999
    assert settings.home.id is None


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("KRAUT_TEMPORAL_ADDRESS", "temporal.example.com", "KRAUT_TEMPORAL_ADDRESS"),
        ("KRAUT_PROBE_PORT", "70000", "KRAUT_PROBE_PORT"),
        ("KRAUT_LOG_LEVEL", "chatty", "KRAUT_LOG_LEVEL"),
        ("KRAUT_HOME_ID", "Home/1", "KRAUT_HOME_ID"),
        ("KRAUT_TEMPORAL_ADRESS", "x:1", "KRAUT_TEMPORAL_ADRESS is not a setting"),
    ],
)
def test_what_cannot_be_is_named(monkeypatch, variable, value, expected):
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=expected):
        load_settings(Everything)


def test_every_violation_is_named_at_once_and_no_value_is_shown(monkeypatch):
    monkeypatch.setenv("KRAUT_PROBE_PORT", "hunter2")
    monkeypatch.setenv("KRAUT_HOME_ID", "hunter2!")
    with pytest.raises(SettingsError) as caught:
        load_settings(Everything)
    assert "KRAUT_PROBE_PORT" in caught.value.message
    assert "KRAUT_HOME_ID" in caught.value.message
    assert "hunter2" not in caught.value.message


def test_groups_of_other_components_may_share_the_environment(monkeypatch):
    monkeypatch.setenv("KRAUT_WORKER_CONCURRENCY", "4")
    assert load_settings(Everything)


def test_description_lists_every_variable_with_its_effective_default():
    by_name = {setting.variable: setting for setting in describe_settings(Everything)}
    assert by_name["KRAUT_PROBE_PORT"].default == "9999"
    assert by_name["KRAUT_TEMPORAL_TLS"].default == "false"
    assert by_name["KRAUT_KUBE_KUBECONFIG"].default == ""
    assert by_name["KRAUT_LOG_FORMAT"].type == "auto or json or console"
    assert all(setting.description for setting in by_name.values())


def test_a_field_outside_a_group_is_refused():
    class Flat(Settings):
        address: str = "x"

    with pytest.raises(TypeError, match="SettingsGroup"):
        describe_settings(Flat)
