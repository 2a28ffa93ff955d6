import pytest

COMPONENTS = ("operator", "worker")


@pytest.fixture
def services(lab):
    """kraut-operator and kraut-worker run for this test only: what others look at on a host is not to change under them."""
    started = [lab.start_component(name) for name in COMPONENTS]
    yield started
    for component in started:
        component.stop()
