"""`actogram cameras`: find the cameras of the network, ask them for their streams, and try an address."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.commands.failures import reported

if TYPE_CHECKING:
    from service.cameras.control import CameraControl
    from service.cameras.discovery import Found, FoundCamera
    from service.cameras.offered import Described
    from service.cameras.soap import Login


@click.group(help="Find the cameras of the network, and try an address.")
def command() -> None:
    """The same as the page's dialog, from this machine."""


@command.command("discover")
@click.option(
    "--wait", "wait_s", type=click.FloatRange(0.5, 10), default=3.0, show_default=True, help="Seconds to listen."
)
@click.option("--interface", help="Name or IPv4 address of one of this machine's interfaces; all by default.")
@click.option("--user", help="Ask each camera for its streams as this user; the password is asked for.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def discover(wait_s: float, interface: str | None, user: str | None, as_json: bool) -> None:
    """Search the local network for ONVIF cameras."""
    login = _login(user)
    with reported(), _refused():
        control = _control()
        found = control.search(interface, wait_s)
        asked = [(one, _describe(control, one, login) if login else None) for one in found.cameras]
        click.echo(_json(asked, found) if as_json else _table(asked, found))


@command.command("test")
@click.argument("uri")
@click.option("--transport", type=click.Choice(["tcp", "udp"]), default="tcp", show_default=True, help="For RTSP.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the picture there, as JPEG."
)
def test(uri: str, transport: str, output: Path | None) -> None:
    """Open URI once and say what comes from there."""
    from pipelines.stream.sources.probe import ProbeOrder

    with reported(), _refused():
        control = _control()
        found = control.test(ProbeOrder(uri, "udp" if transport == "udp" else "tcp", is_coarse=control.blurs))
        if output is not None:
            output.write_bytes(found.jpeg)
    rate = "rate unknown" if found.fps is None else f"{found.fps:g} pictures a second"
    width, height = found.size_wh
    click.echo(f"{found.codec} {width}x{height}, {rate}, first picture after {found.opened_s:g} s")


@contextmanager
def _refused() -> Iterator[None]:
    """What the service itself refuses ends the process in the same way."""
    from service.errors import ServiceError

    try:
        yield
    except ServiceError as error:
        click.echo(f"actogram: {error.code}: {error}", err=True)
        raise SystemExit(2) from error


def _control() -> "CameraControl":
    from service.cameras.control import CameraControl, CameraRules
    from service.settings import load_settings
    from service.sources import camera_policy

    settings = load_settings()
    return CameraControl(camera_policy(settings), CameraRules(settings.camera_search, settings.blur_faces))


def _login(user: str | None) -> "Login | None":
    from service.cameras.soap import Login

    return (
        None if user is None else Login(user, click.prompt("Password", hide_input=True, default="", show_default=False))
    )


def _describe(control: "CameraControl", camera: "FoundCamera", login: "Login") -> "Described | str":
    """What a camera offers, or why it does not say: one that refuses does not end the search."""
    from pipelines.errors import SourceError
    from service.errors import NotOnvif

    try:
        return control.describe(camera.address, login)
    except (SourceError, NotOnvif) as error:
        return f"{error.code}: {error}"


def _table(asked: "list[tuple[FoundCamera, Described | str | None]]", found: "Found") -> str:
    lines: list[str] = []
    for camera, said in asked:
        lines.append(
            "  ".join(filter(None, (camera.host, camera.name, camera.hardware, camera.location, camera.address)))
        )
        if isinstance(said, str):
            lines.append(f"    {said}")
        elif said is not None:
            lines += [f"    {one.name}: {one.uri} {one.codec} {_size(one.size_wh)}".rstrip() for one in said.streams]
    if found.num_refused:
        lines.append(f"{found.num_refused} more from where ACTOGRAM_STREAM_NETWORKS allows no camera")
    return "\n".join(lines) or "No ONVIF camera answered."


def _size(size_wh: tuple[int, int] | None) -> str:
    return "" if size_wh is None else f"{size_wh[0]}x{size_wh[1]}"


def _json(asked: "list[tuple[FoundCamera, Described | str | None]]", found: "Found") -> str:
    from service.cameras.schemas import CameraRead, CameraSearchRead

    read = CameraSearchRead.of(found).model_dump(mode="json")
    for item, (_, said) in zip(read["items"], asked, strict=True):
        if isinstance(said, str):
            item["error"] = said
        elif said is not None:
            item |= CameraRead.of(said).model_dump(mode="json")
    return json.dumps(read, indent=2)
