import traceback

import pytest

from kraut_cli.failures import CommandError
from kraut_cli.oidc.target import Target


@pytest.mark.parametrize("content", [b"users:\n- user:\n    token: planted: {\n", b"token: planted\xff\n"])
def test_a_broken_kubeconfig_shows_no_line_of_itself(tmp_path, content):
    path = tmp_path / "kubeconfig"
    path.write_bytes(content)
    with pytest.raises(CommandError, match="should be a kubeconfig") as caught:
        Target(str(path), "west")
    assert "planted" not in "".join(traceback.format_exception(caught.value))


def test_a_missing_kubeconfig_is_named(tmp_path):
    with pytest.raises(CommandError, match="absent should be a kubeconfig"):
        Target(str(tmp_path / "absent"), "west")
