"""Which engine the settings ask for, and what of them goes to other machines."""

import pickle
from pathlib import Path

import pytest

from pipelines.errors import PackageMissing
from service.engine_choice import build_engine, sent_settings
from service.errors import EngineUnavailable, HomeUnusable
from service.settings import SettingsInvalid, load_settings
from service.supervision.local import LocalEngine
from service.supervision.ray_cluster import RayCluster, RayPlan, require_ray
from service.worker.node import MARK
from tests.ray_clusters import require_installed


def test_workers_are_of_this_machine_unless_asked_otherwise(tmp_path: Path) -> None:
    assert isinstance(build_engine(load_settings(home=tmp_path), 30), LocalEngine)


def test_secrets_that_no_worker_needs_are_not_sent(tmp_path: Path) -> None:
    settings = load_settings(
        home=tmp_path, secret_key="a key of sixteen and more", database_url="postgresql+psycopg://u:hunter2@db/x",
        mqtt_url="mqtt://u:hunter2@broker",
    )  # fmt: skip

    sent = pickle.dumps(sent_settings(settings))

    assert b"hunter2" not in sent
    assert b"a key of sixteen" not in sent


def test_paths_that_are_sent_hold_on_every_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    sent = sent_settings(load_settings(home="here", weights="there"))

    assert (sent.home, sent.weights) == (tmp_path / "here", tmp_path / "there")


@pytest.mark.parametrize(
    ("device", "expected"),
    [("cuda:3", "cuda"), ("cuda", "cuda"), ("cuda:1,tensorrt,fp16", "cuda,tensorrt,fp16"), ("cpu", "cpu")],
)
def test_worker_takes_the_device_that_ray_shows_it(tmp_path: Path, device: str, expected: str) -> None:
    assert sent_settings(load_settings(home=tmp_path, device=device)).device == expected


def test_engine_leaves_the_mark_by_which_nodes_know_the_folder(tmp_path: Path) -> None:
    require_installed()

    build_engine(load_settings(home=tmp_path, engine="ray"), 30)

    assert len((tmp_path / "blobs" / MARK).read_text()) == 32


def test_home_that_cannot_be_written_is_said_in_words(tmp_path: Path) -> None:
    require_installed()
    (tmp_path / "blobs").write_text("a file")

    with pytest.raises(HomeUnusable, match="blobs"):
        build_engine(load_settings(home=tmp_path, engine="ray"), 30)


def test_ray_that_is_not_installed_is_named_with_what_to_install() -> None:
    with pytest.raises(PackageMissing, match=r"pip install 'actogram\[cluster\]'"):
        require_ray(find=lambda _: None)


@pytest.mark.parametrize("address", ["head", "head:", ":6379", "head:0", "head:99999", "ray://head:10001", "head:x"])
def test_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(SettingsInvalid, match="host:port"):
        load_settings(ray_address=address)


def test_cluster_that_does_not_answer_is_said_in_words() -> None:
    require_installed()
    cluster = RayCluster(RayPlan("127.0.0.1:9", 2, 1.0, has_gpus=False))

    with pytest.raises(EngineUnavailable, match=r"no Ray cluster answers at 127\.0\.0\.1:9"):
        cluster.start()

    cluster.stop()
