"""What may be opened is what the policy says, however it is spelt."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.addresses.networks import Network
from pipelines.addresses.policy import AddressPolicy
from pipelines.addresses.schemes import CAMERA_SCHEMES, DEFAULT_CAMERA_SCHEMES, JOB_SCHEMES, SCHEMES
from pipelines.errors import HostUnknown, SourceForbidden, SourceUnavailable

EVERYWHERE: frozenset[Network] = frozenset({"public", "private", "loopback"})


def leading_to(*addresses: str) -> AddressPolicy:
    """The policy of a server whose hosts all lie at these addresses."""
    return AddressPolicy(resolve=lambda host, port: addresses)


def require(uri: str, policy: AddressPolicy) -> Sequence[str]:
    """The addresses behind an address that the policy lets through; resolved by this machine where they are numbers."""
    return policy.require_addresses(*policy.require(uri).where)


@pytest.mark.parametrize(
    "uri",
    ["rtsp://192.168.1.20/live", "rtsp://10.0.0.1:8554/live", "rtsp://[fd00::1]/live", "https://93.184.215.14/x.m3u8"],
)
def test_policy_lets_through_where_cameras_lie(uri: str) -> None:
    assert require(uri, AddressPolicy())


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "LOCALHOST", "[::1]", "[::ffff:127.0.0.1]", "[::127.0.0.1]", "2130706433",
        "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "①②⑦.0.0.1", "0.0.0.0", "0", "[::]", "169.254.169.254",
        "[fe80::1%25lo]", "224.0.0.1", "255.255.255.255", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
    ],
)  # fmt: skip
def test_policy_refuses_this_machine_in_every_spelling(host: str) -> None:
    with pytest.raises(SourceForbidden):
        require(f"rtsp://{host}/live", AddressPolicy())


@pytest.mark.parametrize("host", ["localhost.", "127.0.0.1.", "127.0.0.1%00.example", "a..b", "-", "_"])
def test_policy_answers_odd_hosts_with_a_typed_error(host: str) -> None:
    with pytest.raises((SourceForbidden, SourceUnavailable)):
        require(f"rtsp://{host}/live", AddressPolicy())


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "100.100.100.200", "fd00:ec2::254", "224.0.0.1", "0.0.0.0", "::", "255.255.255.255", "fe80::1"],
)
def test_policy_never_allows_metadata_multicast_and_the_like(address: str) -> None:
    policy = replace(leading_to(address), networks=EVERYWHERE)

    with pytest.raises(SourceForbidden, match="never allowed"):
        require("rtsp://cam.example/live", policy)


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "2001:0:5db8:d70e:0:0:80ff:fffe"])
def test_policy_refuses_a_name_that_leads_inside(address: str) -> None:
    with pytest.raises(SourceForbidden, match=r"cam\.example leads to a loopback address; allowed: private, public"):
        require("rtsp://cam.example/live", leading_to(address))


def test_policy_refuses_a_host_when_one_of_its_addresses_leads_inside() -> None:
    with pytest.raises(SourceForbidden):
        require("rtsp://cam.example/live", leading_to("93.184.215.14", "127.0.0.1"))


def test_policy_names_the_setting_that_would_allow_it() -> None:
    policy = replace(leading_to("127.0.0.1"), setting="ACTOGRAM_STREAM")

    with pytest.raises(SourceForbidden, match="ACTOGRAM_STREAM_NETWORKS"):
        require("rtsp://cam.example/live", policy)
    with pytest.raises(SourceForbidden, match="ACTOGRAM_STREAM_SCHEMES"):
        policy.require("gopher://cam.example/")


def test_policy_keeps_to_its_hosts_where_it_names_any() -> None:
    policy = replace(leading_to("10.1.1.1"), hosts=("*.cameras.example",))

    assert require("rtsp://Door.Cameras.Example/live", policy) == ("10.1.1.1",)
    with pytest.raises(SourceForbidden):
        require("rtsp://cameras.example.evil/live", policy)


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param("webcam:0", id="webcam"),
        pytest.param("concat:a|b", id="FFmpeg's own protocols"),
        pytest.param("subfile,,start,0,end,0,,:/etc/passwd", id="FFmpeg's own options"),
        pytest.param("tcp://10.0.0.1:22", id="plain TCP"),
        pytest.param("data:video/mp4;base64,AAAA", id="data"),
        pytest.param("/etc/passwd", id="path"),
        pytest.param("cam.example/live", id="no scheme"),
        pytest.param(" rtsp://10.0.0.1/live", id="space in front"),
        pytest.param("", id="nothing"),
    ],
)
def test_policy_refuses_schemes_that_are_not_allowed(uri: str) -> None:
    with pytest.raises(SourceForbidden, match="allowed: http, https, push"):
        AddressPolicy().require(uri)


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("rtsp:///live", id="no host"),
        pytest.param("rtsp:live", id="no slashes"),
        pytest.param("rtsp://10.0.0.1:99999/live", id="no port"),
        pytest.param("rtsp://10.0.0.1:x/live", id="port of letters"),
        pytest.param("rtsp://[10.0.0.1/live", id="open bracket"),
        pytest.param("rtsp://cam\\@10.0.0.1/live", id="backslash"),
        pytest.param("rtsp://cam.example/live\r\nSETUP", id="line break"),
        pytest.param(f"rtsp://{'a' * 64}.example/live", id="part of 64 letters"),
        pytest.param(f"rtsp://{'a' * 300}/live", id="part of 300 letters"),
        pytest.param(f"rtsp://{'a.' * 127}example/live", id="name of 261 letters"),
        pytest.param(f"rtsp://{'ä' * 60}.example/live", id="part too long once it is coded"),
    ],
)
def test_policy_refuses_what_is_no_address(uri: str) -> None:
    with pytest.raises(SourceForbidden):
        AddressPolicy().require(uri)


def test_policy_finds_the_host_behind_a_password_that_is_not_escaped() -> None:
    address = AddressPolicy().require("rtsp://view@er:hun/ter2?1@192.168.7.9:8554/live?token=2")

    assert address.where == ("192.168.7.9", 8554)
    assert (address.user, address.password) == ("view%40er", "hun%2Fter2%3F1")
    assert "ter2" not in repr(address)


def test_policy_tells_no_login() -> None:
    policy = AddressPolicy()

    for uri in ("rtsp://admin:hunter2@[x/live", "gopher://admin:hunter2@cam", "rtsp://admin:hunter2@127.0.0.1/"):
        with pytest.raises(SourceForbidden) as caught:
            require(uri, policy)
        assert "hunter2" not in str(caught.value)


def test_host_without_an_address_is_unavailable() -> None:
    with pytest.raises(HostUnknown) as caught:
        require("rtsp://admin:hunter2@camera.invalid/live", AddressPolicy())

    assert caught.value.code == "connection_failed"
    assert "hunter2" not in str(caught.value)


def test_policy_admits_files_below_a_folder_and_no_others(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (inside / "a ü.mp4").write_bytes(b"1")
    (outside / "b.mp4").write_bytes(b"1")
    (inside / "link.mp4").symlink_to(outside / "b.mp4")
    policy = AddressPolicy(frozenset({"file"}), folders=(inside,))

    assert policy.require_file(f"file://{inside}/a%20%C3%BC.mp4") == (inside / "a ü.mp4").resolve()
    assert policy.require(f"file:{inside}/a%20%C3%BC.mp4").path == (inside / "a ü.mp4").resolve()
    for name in (f"{inside}/link.mp4", f"{inside}/../out/b.mp4", f"{outside}/b.mp4", f"{inside}/none.mp4", f"{inside}"):
        with pytest.raises(SourceForbidden, match="no such file below an allowed folder"):
            policy.require(f"file://{name}")
    for uri in (f"file://host{inside}/a.mp4", f"file://{inside}/a%00.mp4", f"file://{inside}/{'x' * 5000}"):
        with pytest.raises(SourceForbidden):
            policy.require(uri)


@pytest.mark.parametrize("uri", ["webcam:0", "webcam:/dev/video2", "webcam:/dev/v4l/by-id/usb-cam"])
def test_policy_lets_through_devices(uri: str) -> None:
    assert AddressPolicy(frozenset({"webcam"})).require(uri).path is not None


@pytest.mark.parametrize("uri", ["webcam:/etc/passwd", "webcam:/dev/video0/../../etc/passwd", "webcam:²", "webcam:"])
def test_policy_refuses_devices_that_are_no_camera(uri: str) -> None:
    with pytest.raises(SourceForbidden):
        AddressPolicy(frozenset({"webcam"})).require(uri)


def test_table_of_schemes_gives_the_settings_their_choices() -> None:
    assert {"http", "https", "file"} == JOB_SCHEMES
    assert {"rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "file", "webcam", "push"} <= CAMERA_SCHEMES
    assert not {"file", "webcam"} & DEFAULT_CAMERA_SCHEMES
    assert all(scheme.port is not None for scheme in SCHEMES.values() if scheme.opening == "relay")
