"""Addresses: what is shown of them holds no secret, and what may be opened is what the policy says."""

import socket
from pathlib import Path

import pytest

from pipelines.errors import SourceForbidden, SourceUnavailable
from pipelines.stream.sources import SourcePolicy, redact, require_allowed


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("rtsp://cam.example/live", "rtsp://cam.example/live"),
        ("rtsp://admin:hunter2@cam.example:554/live?channel=1", "rtsp://***@cam.example:554/live?channel=1"),
        ("rtsp://admin@cam.example/live", "rtsp://***@cam.example/live"),
        ("rtsp://admin:p@ss/w?rd#1@cam.example/live", "rtsp://***@cam.example/live"),
        ("rtsp://cam.example/user=admin&password=hunter2&channel=1", "rtsp://cam.example/user=***&password=***&channel=1"),
        ("https://cam.example/x.m3u8?token=abc&quality=hd", "https://cam.example/x.m3u8?token=***&quality=hd"),
        ("https://cam.example/x?access_token=abc&X-Amz-Signature=def", "https://cam.example/x?access_token=***&X-Amz-Signature=***"),
        ("https://cam.example/x?api_key=abc&pwd=def", "https://cam.example/x?api_key=***&pwd=***"),
        ("rtmp://cam.example/app/live?auth=abc", "rtmp://cam.example/app/live?auth=***"),
        ("push:", "push:"),
        ("", ""),
    ],
)  # fmt: skip
def test_redact_leaves_no_secret(uri: str, shown: str) -> None:
    assert redact(uri) == shown


@pytest.mark.parametrize(
    ("uri", "policy"),
    [
        ("rtsp://192.168.1.20/live", SourcePolicy()),
        ("rtsp://10.0.0.1:8554/live", SourcePolicy()),
        ("https://93.184.215.14/x.m3u8", SourcePolicy(allow_private=False)),
        ("rtsp://127.0.0.1/live", SourcePolicy(allow_local=True)),
        ("push:", SourcePolicy()),
        ("webcam:0", SourcePolicy(schemes=frozenset({"webcam"}))),
        ("webcam:/dev/video2", SourcePolicy(schemes=frozenset({"webcam"}))),
        ("rtsp://10.1.1.1/live", SourcePolicy(hosts=("10.1.*",))),
    ],
)
def test_policy_lets_through_what_it_allows(uri: str, policy: SourcePolicy) -> None:
    assert require_allowed(uri, policy).text == uri


@pytest.mark.parametrize(
    ("uri", "policy"),
    [
        pytest.param("rtsp://127.0.0.1/live", SourcePolicy(), id="loopback"),
        pytest.param("rtsp://localhost/live", SourcePolicy(), id="loopback by name"),
        pytest.param("http://[::1]/x", SourcePolicy(), id="loopback, IPv6"),
        pytest.param("http://[::ffff:127.0.0.1]/x", SourcePolicy(), id="loopback, mapped"),
        pytest.param("http://2130706433/x", SourcePolicy(), id="loopback, as a number"),
        pytest.param("http://0.0.0.0/x", SourcePolicy(), id="this machine"),
        pytest.param("http://169.254.169.254/latest/meta-data", SourcePolicy(), id="cloud metadata"),
        pytest.param("rtsp://192.168.1.20/live", SourcePolicy(allow_private=False), id="private"),
        pytest.param("rtsp://[fd00::1]/live", SourcePolicy(allow_private=False), id="private, IPv6"),
        pytest.param("rtsp://224.0.0.1/live", SourcePolicy(), id="multicast"),
        pytest.param("rtsp://10.2.1.1/live", SourcePolicy(hosts=("10.1.*",)), id="not among the hosts"),
        pytest.param("file:/etc/passwd", SourcePolicy(), id="file"),
        pytest.param("webcam:0", SourcePolicy(), id="webcam"),
        pytest.param("webcam:/etc/passwd", SourcePolicy(schemes=frozenset({"webcam"})), id="no device"),
        pytest.param("webcam:/dev/video0/../../etc/passwd", SourcePolicy(schemes=frozenset({"webcam"})), id="way out"),
        pytest.param("concat:a|b", SourcePolicy(), id="FFmpeg's own protocols"),
        pytest.param("tcp://10.0.0.1:22", SourcePolicy(), id="plain TCP"),
        pytest.param("cam.example/live", SourcePolicy(), id="no scheme"),
        pytest.param("rtsp:///live", SourcePolicy(), id="no host"),
        pytest.param("rtsp://10.0.0.1:99999/live", SourcePolicy(), id="no port"),
    ],
)
def test_policy_refuses_what_it_does_not_allow(uri: str, policy: SourcePolicy) -> None:
    with pytest.raises(SourceForbidden):
        require_allowed(uri, policy)


def test_policy_reads_files_below_its_folders_only(tmp_path: Path) -> None:
    policy = SourcePolicy(schemes=frozenset({"file"}), file_roots=(tmp_path / "videos",))

    inside = require_allowed(f"file:{tmp_path}/videos/a%20b.mp4", policy)

    assert inside.path == (tmp_path / "videos" / "a b.mp4").resolve()
    for outside in (f"file:{tmp_path}/a.mp4", f"file:{tmp_path}/videos/../a.mp4", f"file:{tmp_path}/videos-2/a.mp4"):
        with pytest.raises(SourceForbidden):
            require_allowed(outside, policy)


def test_policy_follows_no_link_out_of_its_folders(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "link.mp4").symlink_to(tmp_path / "secret.mp4")

    with pytest.raises(SourceForbidden):
        require_allowed(
            f"file:{tmp_path}/videos/link.mp4",
            SourcePolicy(schemes=frozenset({"file"}), file_roots=(tmp_path / "videos",)),
        )


def test_host_without_an_address_is_unavailable_and_its_login_is_not_told() -> None:
    with pytest.raises(SourceUnavailable) as caught:
        require_allowed("rtsp://admin:hunter2@camera.invalid/live", SourcePolicy())

    assert caught.value.code == "connection_failed"
    assert "hunter2" not in str(caught.value)
    assert isinstance(caught.value.__cause__, socket.gaierror)
