"""Every setting is documented, and the reference says what the models say."""

import re

import pytest
from settings_reference import REFERENCE, components, render

from kraut_core.settings import describe_settings

SETTINGS = [
    pytest.param(setting, id=f"{package}:{setting.variable}")
    for package, cls in components()
    for setting in describe_settings(cls)
]


def test_operator_and_worker_have_settings():
    assert {package for package, _ in components()} >= {"kraut-operator", "kraut-worker"}


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_is_documented_with_its_default(setting):
    assert len(setting.description) > 20, f"describe {setting.variable}: meaning, unit, default and why that default"
    word = "Required" if setting.required else "Default"
    assert word in setting.description, f"{setting.variable}: say the default, or why there is none"
    if re.search(r"_(SECONDS|BYTES|MINUTES)$", setting.variable):
        unit = setting.variable.rsplit("_", 1)[1].lower()
        assert unit in setting.description.lower(), f"{setting.variable}: name the unit"


def test_the_reference_is_what_the_models_say():
    assert REFERENCE.read_text() == render(), "run `make generate` and commit docs/reference/settings.md"
