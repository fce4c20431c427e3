"""Cameras are found and asked over real UDP and HTTP: old ones, wrong clocks, and every kind of nonsense."""

import time

import pytest

from pipelines.addresses.policy import AddressPolicy
from pipelines.errors import SourceForbidden, SourceUnavailable
from service.cameras.control import CameraControl, CameraRules
from service.cameras.soap import Login, body_of, parse, text_at
from service.errors import Forbidden, InvalidRequest, NotOnvif
from tests.onvif_device import Camera, Fault, OnvifDevice, match_message

LOCAL = AddressPolicy(networks=frozenset({"loopback"}))
LOGIN = Login("admin", "geheim & <sicher>")


def control_of(device: OnvifDevice, policy: AddressPolicy = LOCAL) -> CameraControl:
    """A control whose questions for cameras go to one device."""
    return CameraControl(policy, CameraRules(group=device.group))


def test_search_finds_a_camera_with_its_name() -> None:
    with OnvifDevice() as device:
        found = control_of(device).search("127.0.0.1", 0.5)

    (camera,) = found.cameras
    assert (camera.address, camera.host) == (device.address, "127.0.0.1")
    assert (camera.name, camera.hardware, camera.location) == ("Hall camera", "X-1", "hall")
    assert found.num_refused == 0


def test_search_reaches_the_multicast_group() -> None:
    with OnvifDevice(multicast="239.255.255.250") as device:
        found = control_of(device).search("127.0.0.1", 0.5)

    assert [camera.address for camera in found.cameras] == [device.address]


def test_search_leaves_out_what_the_policy_refuses() -> None:
    camera = Camera(xaddrs="http://169.254.169.254/onvif http://10.0.0.7/onvif file:///etc/passwd http://name.example/")
    with OnvifDevice(camera) as device:
        found = control_of(device).search("127.0.0.1", 0.5)

    assert (found.cameras, found.num_refused) == ((), 1)


def test_search_takes_the_address_that_answered_of_several() -> None:
    with OnvifDevice() as device:
        device.camera.xaddrs = f"http://127.0.0.9:80/onvif {device.address} http://[::1/onvif"
        found = control_of(device).search("127.0.0.1", 0.5)

    assert [camera.address for camera in found.cameras] == [device.address]


def test_search_reads_past_answers_that_make_no_sense() -> None:
    nonsense = [
        b"", b"\xff\x00", b"<a", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"<a>" * 5000, b"x" * 60_000,
        match_message("uuid:somebody-else", "http://127.0.0.1:1/onvif", "urn:uuid:9"),
    ]  # fmt: skip
    with OnvifDevice() as device:
        device.camera.answers = [*nonsense, match_message("MESSAGE", device.address)]
        found = control_of(device).search("127.0.0.1", 0.5)

    assert [camera.address for camera in found.cameras] == [device.address]


def test_search_ends_in_time_however_many_answers_come() -> None:
    with OnvifDevice() as device:
        device.camera.answers = [
            match_message("MESSAGE", device.address, f"urn:uuid:{number}") for number in range(300)
        ]
        began_s = time.monotonic()
        found = control_of(device).search("127.0.0.1", 0.5)

    assert len(found.cameras) <= 200
    assert time.monotonic() - began_s < 3


def test_search_refuses_an_interface_that_is_not_there() -> None:
    with OnvifDevice() as device, pytest.raises(InvalidRequest, match="interface: found 'wlan9'"):
        control_of(device).search("wlan9", 0.5)


def test_search_and_questions_are_refused_where_the_settings_say_so() -> None:
    control = CameraControl(LOCAL, CameraRules(may_search=False))

    for ask in (lambda: control.search(None, 0.5), lambda: control.describe("http://127.0.0.1/onvif", None)):
        with pytest.raises(Forbidden, match="ACTOGRAM_CAMERA_SEARCH"):
            ask()


@pytest.mark.parametrize(
    ("camera", "codec"),
    [
        pytest.param(Camera(), "h265", id="media2"),
        pytest.param(Camera(is_old=True), "h264", id="media alone, by GetCapabilities"),
        pytest.param(Camera(clock_offset_s=86_400 * 400.0), "h265", id="a clock a year ahead"),
        pytest.param(Camera(clock_offset_s=-3600.0), "h265", id="a clock an hour behind"),
        pytest.param(Camera(wants_http_digest=True), "h265", id="HTTP's own digest"),
        pytest.param(Camera(media_host="10.9.8.7"), "h265", id="media at a host that leads nowhere"),
        pytest.param(Camera(stream_host="169.254.1.1"), "h265", id="streams at a host that leads nowhere"),
    ],
)
def test_camera_tells_what_it_is_and_its_streams(camera: Camera, codec: str) -> None:
    with OnvifDevice(camera) as device:
        found = control_of(device).describe(device.address, LOGIN)

    assert (found.manufacturer, found.model, found.firmware, found.serial) == ("Acme", "X-1", "1.2", "42")
    assert found.clock_offset_s == pytest.approx(camera.clock_offset_s, abs=2)
    main, sub = found.streams
    assert (main.name, main.uri) == ("main", "rtsp://127.0.0.1:8554/main?a=1&b=2")
    assert (main.codec, main.size_wh, main.fps) == (codec, (1920, 1080), 25.0)
    assert (sub.name, sub.size_wh, sub.fps) == ("sub", (640, 360), 10.0)
    assert not any("geheim" in text for text in camera.received)


@pytest.mark.parametrize("login", [None, Login("admin", "wrong"), Login("somebody", "geheim & <sicher>")])
def test_camera_that_refuses_the_login_says_auth_failed(login: Login | None) -> None:
    with OnvifDevice() as device, pytest.raises(SourceUnavailable) as caught:
        control_of(device).describe(device.address, login)

    assert caught.value.code == "auth_failed"


@pytest.mark.parametrize("fault", ["nonsense", "huge", "doctype", "no_soap"])
def test_camera_that_answers_nonsense_is_named_as_no_camera(fault: Fault) -> None:
    with OnvifDevice(Camera(fault=fault)) as device, pytest.raises(NotOnvif, match=r"127\.0\.0\.1"):
        control_of(device).describe(device.address, LOGIN)


@pytest.mark.parametrize(("fault", "code"), [("slow", "timeout"), ("trickle", "timeout"), ("not_found", "not_found")])
def test_camera_that_does_not_answer_in_time_says_why(fault: Fault, code: str) -> None:
    began_s = time.monotonic()

    with OnvifDevice(Camera(fault=fault)) as device, pytest.raises(SourceUnavailable) as caught:
        control_of(device).describe(device.address, LOGIN)

    assert caught.value.code == code
    assert time.monotonic() - began_s < 20


def test_questions_go_only_where_the_policy_allows() -> None:
    with OnvifDevice() as device, pytest.raises(SourceForbidden, match="loopback"):
        control_of(device, AddressPolicy(networks=frozenset({"private"}))).describe(device.address, LOGIN)

    assert device.camera.asked == []


@pytest.mark.parametrize(
    "address", ["rtsp://user:hunter2@127.0.0.1/x", "http://user:hunter2@127.0.0.1/onvif", "file:///"]
)
def test_address_that_is_no_device_service_is_refused_without_its_login(address: str) -> None:
    with pytest.raises((NotOnvif, SourceForbidden)) as caught:
        CameraControl(LOCAL, CameraRules()).describe(address, LOGIN)

    assert "hunter2" not in str(caught.value)


def test_cameras_are_asked_over_http_where_pictures_may_come_by_rtsp_alone() -> None:
    policy = AddressPolicy(frozenset({"rtsp"}), frozenset({"loopback"}))

    with OnvifDevice() as device:
        found = control_of(device, policy).search("127.0.0.1", 0.5)
        described = control_of(device, policy).describe(device.address, LOGIN)

    assert [camera.address for camera in found.cameras] == [device.address]
    assert len(described.streams) == 2


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b'<?xml version="1.0"?><!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', id="a document type"),
        pytest.param(b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', id="an outside entity"),
        pytest.param(b"<a>" * 100 + b"</a>" * 100, id="too deep"),
        pytest.param(b"<a>" + b"<b/>" * 30_000 + b"</a>", id="too many parts"),
        pytest.param(b"<a>" + b"x" * (1 << 20) + b"</a>", id="too large"),
        pytest.param(b"<a><b></a>", id="not well-formed"),
        pytest.param(b'<?xml version="1.0" encoding="klingon"?><a/>', id="an unknown encoding"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_xml_of_strangers_is_refused_when_it_is_more_than_data(answer: bytes) -> None:
    with pytest.raises(NotOnvif):
        parse(answer)


def test_xml_is_read_whatever_its_prefixes() -> None:
    body = body_of(
        parse(
            b'<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body>'
            b'<q:A xmlns:q="u"><B>  x\n y </B></q:A>'
            b"</e:Body></e:Envelope>"
        )
    )

    assert text_at(body, "A", "B") == "x y"
