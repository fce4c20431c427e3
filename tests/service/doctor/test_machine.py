"""What is said of a home, a disk, a port, a clock and a proxy, by kind of fault."""

import datetime as dt
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from service.doctor.findings import Finding
from service.doctor.home import DiskRoom, check_disk, check_home, judge_disk
from service.doctor.machine import Clocks, check_clock, check_port, check_proxy
from service.settings import Settings, load_settings

_GIB = 2**30


def _settings(home: Path) -> Settings:
    return load_settings(home=home)


def _states(found: Iterator[Finding]) -> dict[str, str]:
    return {one.name: one.state for one in found}


def test_home_of_its_own_is_well(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)

    assert _states(check_home(_settings(home))) == {"home": "ok", "permissions": "ok"}
    assert list(home.iterdir()) == []


def test_home_that_is_not_there_yet_is_no_fault(tmp_path: Path) -> None:
    (found,) = check_home(_settings(tmp_path / "not" / "yet"))

    assert (found.state, found.found) == ("ok", f"{tmp_path}/not/yet is made at the first start")
    assert not (tmp_path / "not").exists()


def test_home_below_a_file_is_bad(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    (found,) = check_home(_settings(tmp_path / "file" / "home"))

    assert found.state == "bad"
    assert found.advice


def test_home_that_is_a_file_is_bad(tmp_path: Path) -> None:
    (tmp_path / "home").touch()

    (found,) = check_home(_settings(tmp_path / "home"))

    assert (found.state, found.found) == ("bad", f"{tmp_path}/home is no folder")


def test_home_that_cannot_be_written_is_bad() -> None:
    found = list(check_home(_settings(Path("/proc"))))

    assert found[0].state == "bad"
    assert found[0].found.startswith("/proc cannot be written: ")
    assert "/proc" in found[0].advice


def test_home_that_others_may_read_is_told_with_the_command_that_closes_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o755)

    found = {one.name: one for one in check_home(_settings(home))}["permissions"]

    assert (found.state, found.advice) == ("warn", f"chmod 700 {home}")
    assert "mode 0755" in found.found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_home_of_another_user_is_told(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    os.chown(home, 12345, 12345)

    found = {one.name: one for one in check_home(_settings(home))}["permissions"]

    assert (found.state, found.found) == ("warn", f"{home} belongs to user 12345, not to 0")


def test_disk_is_looked_at_where_the_home_will_be(tmp_path: Path) -> None:
    (found,) = check_disk(_settings(tmp_path / "not" / "yet"))

    assert found.name == "disk"
    assert str(tmp_path) in found.found


@pytest.mark.parametrize(
    ("free", "entries", "state"),
    [
        pytest.param(50 * _GIB, 10**6, "ok", id="room"),
        pytest.param(50 * _GIB, None, "ok", id="nobody counts files"),
        pytest.param(1 * _GIB, 10**6, "warn", id="scarce"),
        pytest.param(100 * 2**20, 10**6, "bad", id="full"),
        pytest.param(50 * _GIB, 0, "bad", id="no files left"),
    ],
)
def test_disk_is_judged_by_space_and_by_files(tmp_path: Path, free: int, entries: int | None, state: str) -> None:
    found = judge_disk(DiskRoom(tmp_path, free, 100 * _GIB, entries), _settings(tmp_path))

    assert found.state == state
    assert bool(found.advice) == (state != "ok")


def test_port_that_nobody_uses_is_free() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])

    assert _states(check_port("127.0.0.1", port)) == {"port": "ok"}


@pytest.mark.parametrize(
    ("body", "state", "words"),
    [(b'{"status": "ok"}', "ok", "Actogram listens there"), (b"<html>", "bad", "taken by another program")],
    ids=["ours", "another"],
)
def test_port_that_is_in_use_is_ours_or_anothers(body: bytes, state: str, words: str) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()

        (found,) = check_port("127.0.0.1", server.server_port)

        server.shutdown()
    assert found.state == state
    assert words in found.found


def test_program_that_never_answers_at_the_port_is_another_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (found,) = check_port("127.0.0.1", int(silent.getsockname()[1]))

    assert found.state == "bad"


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
def test_address_of_another_machine_is_no_place_to_listen(host: str) -> None:
    (found,) = check_port(host, 8000)

    assert found.state == "bad"
    assert "--host" in found.advice


def _clocks(year: int = 2026, jump_s: float = 0.0) -> Clocks:
    moments = iter([0.0, 0.0, 0.2 + jump_s])
    steady = iter([100.0, 100.2])
    start_s = dt.datetime(year, 6, 1, tzinfo=dt.UTC).timestamp()
    return Clocks(lambda: start_s + next(moments), lambda: next(steady), lambda _: None)


def _clock(tmp_path: Path, clocks: Clocks, environment: Mapping[str, str] | None = None) -> dict[str, Finding]:
    return {one.name: one for one in check_clock(_settings(tmp_path), environment or {}, clocks)}


@pytest.mark.parametrize(
    ("year", "jump_s", "state"),
    [
        (2026, 0.0, "ok"),
        (1970, 0.0, "bad"),
        (2023, 0.0, "bad"),
        (2150, 0.0, "bad"),
        (2026, 30.0, "warn"),
        (2026, -5.0, "warn"),
    ],
)
def test_clock_is_judged_by_its_year_and_by_its_jumps(tmp_path: Path, year: int, jump_s: float, state: str) -> None:
    found = _clock(tmp_path, _clocks(year, jump_s))["clock"]

    assert found.state == state
    assert str(year) in found.found


def test_clock_that_went_back_is_seen_by_the_files_it_left(tmp_path: Path) -> None:
    file = tmp_path / "actogram.sqlite3"
    file.touch()
    later_s = dt.datetime(2027, 1, 1, tzinfo=dt.UTC).timestamp()
    os.utime(file, (later_s, later_s))

    found = _clock(tmp_path, _clocks(2026))["clock"]

    assert found.state == "warn"
    assert "the clock went back" in found.found


@pytest.mark.parametrize(
    ("zone", "state"),
    [
        ("", "ok"),
        ("UTC", "ok"),
        ("Europe/Nowhere", "warn"),
        (":/no/such/file", "warn"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "ok"),
    ],
)
def test_time_zone_that_is_not_known_is_told(tmp_path: Path, zone: str, state: str) -> None:
    assert _clock(tmp_path, _clocks(), {"TZ": zone})["time zone"].state == state


def test_no_proxy_is_no_fault() -> None:
    assert _states(check_proxy({}, is_offline=False)) == {"proxy": "ok"}


def test_proxy_that_answers_and_spares_this_machine_is_well() -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        url = f"http://me:hunter2@127.0.0.1:{proxy.getsockname()[1]}"
        found = list(check_proxy({"https_proxy": url, "no_proxy": "localhost"}, is_offline=False))

    assert [one.state for one in found] == ["ok"]
    assert "hunter2" not in found[0].found


def test_proxy_that_does_not_answer_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"127.0.0.1:{gone.getsockname()[1]}"

    (found,) = check_proxy({"HTTP_PROXY": url, "NO_PROXY": "*"}, is_offline=False)

    assert found.state == "warn"
    assert found.found.startswith(f"HTTP_PROXY http://{url} does not answer: ")


def test_proxy_is_not_asked_offline() -> None:
    (found,) = check_proxy({"HTTP_PROXY": "http://proxy.invalid:3128", "NO_PROXY": "*"}, is_offline=True)

    assert found.state == "ok"


@pytest.mark.parametrize("url", ["http://", "http://me:pa#ss@proxy:port", "http://[::1"])
def test_proxy_that_is_no_address_is_bad_and_not_repeated(url: str) -> None:
    (found,) = check_proxy({"ALL_PROXY": url, "NO_PROXY": "localhost"}, is_offline=False)

    assert (found.state, found.found) == ("bad", "ALL_PROXY is no address")


def test_proxy_that_takes_requests_to_this_machine_is_told() -> None:
    found = list(check_proxy({"HTTP_PROXY": "http://proxy:1", "NO_PROXY": "example.org"}, is_offline=True))

    assert [one.state for one in found] == ["ok", "warn"]
    assert "NO_PROXY=localhost" in found[1].advice
