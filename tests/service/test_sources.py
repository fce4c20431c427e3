"""What a client may name as a source, and that nobody sees a password."""

from pathlib import Path

import pytest

from pipelines.errors import SourceForbidden
from service.settings import Network, Scheme
from service.sources import SourcePolicy, network_of, redact_uri

PUBLIC: frozenset[Network] = frozenset({"public"})
WEB: frozenset[Scheme] = frozenset({"http", "https"})


def _policy(
    address: str = "93.184.215.14", schemes: frozenset[Scheme] = WEB, folders: tuple[Path, ...] = (),
    networks: frozenset[Network] = PUBLIC,
) -> SourcePolicy:  # fmt: skip
    return SourcePolicy(schemes, folders, networks, lambda host, port: [address])


@pytest.mark.parametrize(
    "uri",
    ["rtsp://camera/1", "ftp://host/a.mp4", "gopher://x", "concat:a|b", "/etc/passwd", "", "file:///etc/passwd",
     "data:video/mp4;base64,AAAA", "javascript:alert(1)", "subfile,,start,0,end,0,,:/etc/passwd", "HTTP"],
)  # fmt: skip
def test_policy_refuses_schemes_that_are_not_allowed(uri: str) -> None:
    with pytest.raises(SourceForbidden, match="allowed: http, https"):
        _policy().require_scheme(uri)


def test_policy_refuses_everything_by_default() -> None:
    with pytest.raises(SourceForbidden, match="ACTOGRAM_SOURCE_SCHEMES"):
        _policy(schemes=frozenset()).require_scheme("https://example.org/a.mp4")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("93.184.215.14", "public"), ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", "public"),
        ("10.1.2.3", "private"), ("172.16.0.1", "private"), ("192.168.1.1", "private"), ("100.64.0.1", "private"),
        ("fd00::1", "private"), ("127.0.0.1", "loopback"), ("127.9.9.9", "loopback"), ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"), ("::ffff:10.0.0.1", "private"), ("2002:7f00:1::", "loopback"),
        ("64:ff9b::7f00:1", "loopback"), ("64:ff9b::a9fe:a9fe", None), ("169.254.169.254", None),
        ("fe80::1%eth0", None), ("0.0.0.0", None),
        ("224.0.0.1", None), ("255.255.255.255", None), ("192.0.2.1", None),
    ],
)  # fmt: skip
def test_network_of_an_address(address: str, network: Network | None) -> None:
    assert network_of(address) == network


def test_policy_names_the_address_to_connect_to() -> None:
    target = _policy().require_target("https://user:pw@example.org/a.mp4?token=1")

    assert (target.scheme, target.host, target.port, target.address) == ("https", "example.org", 443, "93.184.215.14")


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::ffff:127.0.0.1"])
def test_policy_refuses_names_that_lead_inside(address: str) -> None:
    with pytest.raises(SourceForbidden, match=r"example\.org resolves to"):
        _policy(address).require_target("http://example.org/a.mp4")


def test_policy_refuses_when_one_of_the_addresses_leads_inside() -> None:
    policy = SourcePolicy(WEB, (), PUBLIC, lambda host, port: ["93.184.215.14", "127.0.0.1"])

    with pytest.raises(SourceForbidden):
        policy.require_target("http://example.org/a.mp4")


def test_policy_admits_files_below_a_folder_and_no_others(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (inside / "a ü.mp4").write_bytes(b"1")
    (outside / "b.mp4").write_bytes(b"1")
    (inside / "link.mp4").symlink_to(outside / "b.mp4")
    policy = _policy(schemes=frozenset({"file"}), folders=(inside,))

    found = policy.require_file(f"file://{inside}/a%20%C3%BC.mp4")

    assert found == (inside / "a ü.mp4").resolve()
    for name in (f"{inside}/link.mp4", f"{inside}/../out/b.mp4", f"{outside}/b.mp4", f"{inside}/none.mp4", f"{inside}"):
        with pytest.raises(SourceForbidden, match="no file below an allowed folder"):
            policy.require_file(f"file://{name}")


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("rtsp://admin:hunter2@10.0.0.5:554/ch1?token=abc", "rtsp://***@10.0.0.5:554/ch1?***"),
        ("https://example.org/a.mp4", "https://example.org/a.mp4"),
        ("https://example.org/a.mp4#hunter2", "https://example.org/a.mp4"),
        ("https://us@er:hunter2@example.org/", "https://***@example.org/"),
        ("http://[hunter2", "unreadable URI"),
    ],
)
def test_redact_uri_hides_credentials(uri: str, shown: str) -> None:
    assert redact_uri(uri) == shown
