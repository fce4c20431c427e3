"""What is shown of an address holds no secret, whatever the address looks like."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.addresses.redact import redact


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("rtsp://cam.example/live", "rtsp://cam.example/live"),
        ("rtsp://[2001:db8::1]:8554/live", "rtsp://[2001:db8::1]:8554/live"),
        ("rtsp://admin:hunter2@cam.example:554/live?channel=1", "rtsp://***@cam.example:554/live?channel=1"),
        ("rtsp://admin:hunter2@[fd00::5]:554/live", "rtsp://***@[fd00::5]:554/live"),
        ("rtsp://admin@cam.example/live", "rtsp://***@cam.example/live"),
        ("rtsp://admin:p@ss/w?rd#1@cam.example/live", "rtsp://***@cam.example/live"),
        ("srt://admin:hunter2@cam.example:9000?passphrase=hunter2", "srt://***@cam.example:9000?passphrase=***"),
        ("mqtt://admin:hunter2@broker", "mqtt://***@broker"),
        ("rtsp://cam.example/user=admin&password=hunter2&channel=1", "rtsp://cam.example/user=***&password=***&channel=1"),
        ("https://cam.example/x.m3u8?token=abc&quality=hd", "https://cam.example/x.m3u8?token=***&quality=hd"),
        ("https://cam.example/x?access_token=abc&X-Amz-Signature=def", "https://cam.example/x?access_token=***&X-Amz-Signature=***"),
        ("https://cam.example/a.mp4#hunter2", "https://cam.example/a.mp4"),
        ("push:", "push:"),
        ("file:///videos/a b.mp4", "file:///videos/a b.mp4"),
        ("webcam:0", "webcam:0"),
        ("", ""),
    ],
)  # fmt: skip
def test_redact_keeps_what_tells_one_source_from_another(uri: str, shown: str) -> None:
    assert redact(uri) == shown


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("rtsp://cam/live?password=hunter2", id="password"),
        pytest.param("rtsp://cam/live?PWD=hunter2", id="upper case"),
        pytest.param("rtsp://cam/live?p%61ss=hunter2", id="escaped name"),
        pytest.param("rtsp://cam/live?auth=hunter2&channel=1", id="auth"),
        pytest.param("rtsp://cam/live?key=hunter2", id="key"),
        pytest.param("rtsp://cam/live?user=hunter2", id="user"),
        pytest.param("rtsp://cam/live?nobody-knows=hunter2", id="a name that nobody knows"),
        pytest.param("rtsp://cam/live?channel=1;hunter2", id="semicolon"),
        pytest.param("rtsp://cam/live?channel=hunter2=?token/", id="harmless name, odd value"),
        pytest.param("rtsp://cam/live?hunter2", id="no name"),
        pytest.param("rtsp://cam/live;token=hunter2?channel=1", id="parameter of the path"),
        pytest.param("rtsp://cam/live;hunter2/x", id="parameter of the path without a name"),
        pytest.param("rtsp://cam/password=a/hunter2", id="slash in a path's password"),
        pytest.param("rtsp://cam/live?a=b#hunter2", id="fragment"),
        pytest.param("rtsp://cam?token=hunter2", id="query without a path"),
        pytest.param("rtsp://cam#hunter2", id="fragment without a path"),
        pytest.param("rtsp://u:a%40hunter2%2Fb@cam/live", id="escaped @ in the password"),
        pytest.param("rtsp://u:[hunter2]@cam/live", id="bracket in the password"),
        pytest.param("rtsp://admin:hunter2", id="no host"),
        pytest.param("rtsp://admin:hunter2/live", id="login in the host's place"),
        pytest.param("http://[hunter2", id="open bracket"),
        pytest.param("http:admin:hunter2@cam", id="no slashes"),
        pytest.param("http:/admin:hunter2@cam", id="one slash"),
        pytest.param("http:\\\\admin:hunter2@cam", id="backslashes"),
        pytest.param("admin:hunter2@cam/live", id="no scheme"),
        pytest.param("admin:hunter2", id="nothing but a login"),
        pytest.param(" rtsp://admin:hunter2@cam", id="space in front"),
        pytest.param("a b://admin:hunter2@cam", id="scheme that is none"),
        pytest.param("file://admin:hunter2@cam/x", id="file with a login"),
        pytest.param("http://proxy/fetch?url=rtsp://admin:hunter2@cam/live", id="address in an address"),
        pytest.param("rtsp://cam/live?\r\ntoken=hunter2", id="line break"),
    ],
)
def test_redact_hides_whatever_could_be_a_secret(uri: str) -> None:
    assert "hunter2" not in redact(uri)


@given(st.text(), st.text())
def test_redact_hides_the_login_of_any_text(login: str, rest: str) -> None:
    shown = redact(f"rtsp://{login}hunter2@{rest.replace('hunter2', '')}")

    assert "hunter2" not in shown
    assert shown.isprintable()
