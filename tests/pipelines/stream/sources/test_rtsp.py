"""RTSP passes the relay as it is, but for what would lead FFmpeg to another host."""

import re

import pytest

from pipelines.addresses.policy import AddressPolicy
from pipelines.errors import SourceForbidden, SourceUnavailable
from pipelines.stream.sources.relay import Redirected
from pipelines.stream.sources.rtsp import RtspFilter, digest

ADDRESS = AddressPolicy(frozenset({"rtsp"})).require("rtsp://view%40er:s3cret%2F@cam.example/live?channel=1")
NETLOC = "127.0.0.1:40001"


def passing() -> RtspFilter:
    return RtspFilter(ADDRESS, NETLOC, "93.184.215.14")


def answer(*lines: str, body: bytes = b"") -> bytes:
    return "\r\n".join(["RTSP/1.0 200 OK", "CSeq: 2", *lines, "", ""]).encode() + body


def test_request_names_the_camera_and_not_the_relay() -> None:
    request = f"DESCRIBE rtsp://{NETLOC}/live?channel=1 RTSP/1.0\r\nCSeq: 2\r\n\r\n".encode()

    assert passing().to_camera(request) == b"DESCRIBE rtsp://cam.example:554/live?channel=1 RTSP/1.0\r\nCSeq: 2\r\n\r\n"


@pytest.mark.parametrize("extra", ["", ', algorithm="MD5", qop="auth", cnonce="0a4f", nc=00000001'])
def test_request_is_signed_for_the_cameras_own_name(extra: str) -> None:
    login = f'Digest username="view@er", realm="cam", nonce="17", uri="rtsp://{NETLOC}/live", response="0"{extra}'
    request = f"PLAY rtsp://{NETLOC}/live RTSP/1.0\r\nAuthorization: {login}\r\n\r\n".encode()

    sent = passing().to_camera(request).decode()

    fields = {name: value.strip('"') for name, value in re.findall(r'(\w+)=("[^"]*"|[^,\s]+)', sent)}
    assert fields["uri"] == "rtsp://cam.example:554/live"
    assert fields["response"] == digest(fields, "PLAY", ("view@er", "s3cret/"))
    assert fields["response"] != "0"


def test_digest_is_the_one_of_its_rfc() -> None:
    """The example of RFC 2617, section 3.5."""
    fields = {
        "realm": "testrealm@host.com", "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093", "uri": "/dir/index.html",
        "qop": "auth", "nc": "00000001", "cnonce": "0a4f113b",
    }  # fmt: skip

    assert digest(fields, "GET", ("Mufasa", "Circle Of Life")) == "6629fae49393a05397450978507c4ef1"


@pytest.mark.parametrize("piece", [1, 3, 7, 1000])
def test_answers_and_packets_come_through_however_they_are_cut(piece: int) -> None:
    body = b"v=0\r\nm=video 0 RTP/AVP 96\r\n\r\nRTSP/1.0 302 x\r\n\r\n"
    packet = b"$\x00\x00\x05\r\n\r\n$"
    data = packet + answer(f"Content-Length: {len(body)}", body=body) + packet * 2
    filtered = passing()

    out = b"".join(filtered.to_reader(data[at : at + piece]) for at in range(0, len(data), piece))

    assert out == data


@pytest.mark.parametrize("status", [300, 301, 302, 303, 305, 307, 399])
def test_redirect_is_not_passed_on(status: int) -> None:
    with pytest.raises(Redirected) as caught:
        passing().to_reader(f"RTSP/1.0 {status} Moved\r\nLocation: rtsp://127.0.0.1:22/x\r\n\r\n".encode())

    assert caught.value.uri == "rtsp://127.0.0.1:22/x"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"RTSP/1.0 302 Moved\nLocation: rtsp://127.0.0.1/x\n\n", id="bare line feeds"),
        pytest.param(b"\r\n\r\nRTSP/1.0 302 Moved\r\nlocation:rtsp://127.0.0.1/x\r\n\r\n", id="empty lines in front"),
        pytest.param(b"RTSP/1.0 3\r02 Moved\r\nLocation: rtsp://127.0.0.1/x\r\n\r\n", id="return within the number"),
    ],
)
def test_redirect_is_seen_in_odd_spellings(data: bytes) -> None:
    with pytest.raises(Redirected):
        passing().to_reader(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(answer("Location: rtsp://127.0.0.1/x"), id="location of an answer that is none"),
        pytest.param(answer("Content-Length: 5", "Content-Length: 0", body=b"abcde"), id="two lengths"),
        pytest.param(answer("Content-Length : 5", body=b"abcde"), id="space before the colon"),
        pytest.param(answer("$\x00\x00\x05x: y"), id="header like a packet"),
        pytest.param(answer(" folded", "nonsense"), id="lines that are no header"),
    ],
)
def test_answer_is_written_so_that_it_reads_one_way_only(data: bytes) -> None:
    out = passing().to_reader(data)

    assert b"127.0.0.1" not in out
    assert b"$" not in out
    assert out.lower().count(b"content-length:") == (1 if b"abcde" in data else 0)
    assert out.startswith(b"RTSP/1.0 200 OK\r\nCSeq: 2\r\n")


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        ("RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=0a0b", "RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=0a0b"),
        ("RTP/AVP/TCP;interleaved=0-1;source=10.0.0.1;destination=10.0.0.2", "RTP/AVP/TCP;interleaved=0-1"),
        ("RTP/AVP;unicast;client_port=4000-4001;server_port=5000-5001;source=10.0.0.1",
         "RTP/AVP;unicast;client_port=4000-4001;server_port=5000-5001;source=93.184.215.14"),
        ("RTP/AVP/UDP;unicast;source=127.0.0.1;server_port=53-54,RTP/AVP;source=127.0.0.1",
         "RTP/AVP/UDP;unicast;server_port=53-54;source=93.184.215.14"),
    ],
)  # fmt: skip
def test_transport_sends_packets_to_the_checked_address_only(given: str, passed: str) -> None:
    assert f"Transport: {passed}\r\n".encode() in passing().to_reader(answer(f"Transport: {given}"))


def test_multicast_is_refused() -> None:
    with pytest.raises(SourceForbidden, match="multicast"):
        passing().to_reader(answer("Transport: RTP/AVP;multicast;destination=239.0.0.1;port=5000-5001"))


def test_junk_between_packets_is_passed_over() -> None:
    filtered = passing()
    filtered.to_reader(answer())

    assert filtered.to_reader(b"\x00\x01junk$\x00\x00\x01x" + answer()) == b"$\x00\x00\x01x" + answer()


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 200 OK\r\n\r\n", b"SSH-2.0-x\r\n\r\n", b"x" * 70_000, answer("Content-Length: 99999999")]
)
def test_what_is_not_rtsp_has_a_code_and_no_login(data: bytes) -> None:
    with pytest.raises(SourceUnavailable, match="does not speak RTSP") as caught:
        passing().to_reader(data)

    assert caught.value.code == "codec_unsupported"
    assert "s3cret" not in str(caught.value)
