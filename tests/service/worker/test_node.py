"""A worker on a node of a cluster: sees the server's files or says so, and keeps weights of its own."""

from pathlib import Path

import pytest

from service.settings import load_settings
from service.worker.node import MARK, FilesNotShared, node_cache, require_shared


def test_node_that_sees_the_servers_folder_goes_on(tmp_path: Path) -> None:
    (tmp_path / MARK).write_text("this server")

    require_shared(tmp_path, "this server")


@pytest.mark.parametrize(("text", "says"), [(None, "cannot be read on this node"), ("another", "not the server's")])
def test_node_that_does_not_see_it_says_what_to_mount(tmp_path: Path, text: str | None, says: str) -> None:
    if text is not None:
        (tmp_path / MARK).write_text(text)

    with pytest.raises(FilesNotShared, match=says) as caught:
        require_shared(tmp_path, "this server")

    assert "ACTOGRAM_HOME" in str(caught.value)


def test_weights_lie_outside_the_shared_home(tmp_path: Path) -> None:
    alone, named = load_settings(home=tmp_path), load_settings(home=tmp_path, weights_cache=tmp_path / "disk")

    assert tmp_path not in node_cache(alone).parents
    assert node_cache(named) == tmp_path / "disk"
