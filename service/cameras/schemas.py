"""What clients send and get about cameras that are no streams yet."""

import base64

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from pipelines.addresses.redact import redact
from pipelines.stream.sources.probe import Probed, ProbeOrder
from service.cameras.discovery import Found
from service.cameras.offered import Described
from service.cameras.soap import Login
from service.protocol.stream_config import Mirror, Rotate, Source


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CameraTest(_Asked):
    """An address to look at once."""

    source: Source
    rotate: Rotate = 0
    mirror: Mirror = False

    def order(self, *, is_coarse: bool) -> ProbeOrder:
        """The same for the process that looks."""
        return ProbeOrder(self.source.uri, self.source.transport, self.rotate, self.mirror, is_coarse)


class CameraTestRead(BaseModel):
    """What came from an address."""

    uri: str = Field(description="The address without its credentials.")
    codec: str
    size: tuple[int, int] = Field(description="Width and height in pixels, as the camera sends them.")
    fps: float | None = Field(description="Pictures per second as they came; null where too few came to tell.")
    opened_s: float = Field(description="Seconds until the first picture.")
    picture: str = Field(description="That picture, turned as asked: JPEG in Base64.")
    is_coarse: bool = Field(description="Whether it is coarse because faces may not be shown here.")

    @classmethod
    def of(cls, asked: CameraTest, found: Probed, *, is_coarse: bool) -> "CameraTestRead":
        """What was found as clients see it."""
        return cls(
            uri=redact(asked.source.uri), codec=found.codec, size=found.size_wh, fps=found.fps, opened_s=found.opened_s,
            picture=base64.b64encode(found.jpeg).decode("ascii"), is_coarse=is_coarse,
        )  # fmt: skip


class CameraSearch(_Asked):
    """Which part of the network is searched, and for how long."""

    interface: str | None = Field(
        default=None, max_length=64, description="Name or IPv4 address of one of the server's; null: all of them."
    )
    wait_s: float = Field(default=3.0, ge=0.5, le=10, description="Seconds to listen for answers.")


class FoundCameraRead(BaseModel):
    """A camera that answered."""

    address: str = Field(description="Of its device service, for `POST /v1/cameras/streams`.")
    host: str
    name: str = Field(description="As it says itself; may be empty.")
    hardware: str
    location: str


class CameraSearchRead(BaseModel):
    """What a search brought."""

    items: list[FoundCameraRead]
    refused: int = Field(description="Cameras that answered from where ACTOGRAM_STREAM_NETWORKS allows none.")

    @classmethod
    def of(cls, found: Found) -> "CameraSearchRead":
        """What was found as clients see it."""
        items = [
            FoundCameraRead(
                address=one.address, host=one.host, name=one.name, hardware=one.hardware, location=one.location
            )
            for one in found.cameras
        ]  # fmt: skip
        return cls(items=items, refused=found.num_refused)


class CameraInquiry(_Asked):
    """A camera to ask, and as whom."""

    address: str = Field(max_length=1024, description="Of its device service: http://192.168.1.20/onvif/device_service")
    user: str | None = Field(default=None, max_length=128)
    password: SecretStr = Field(
        default=SecretStr(""), max_length=256, description="It is sent as a digest only, and never kept."
    )

    @property
    def login(self) -> Login | None:
        """The user and the password; None where no user is named."""
        return None if self.user is None else Login(self.user, self.password.get_secret_value())


class OfferedStreamRead(BaseModel):
    """A stream that a camera offers."""

    name: str
    uri: str = Field(description="Without a login; put the camera's into it where it needs one.")
    codec: str
    size: tuple[int, int] | None
    fps: float | None


class CameraRead(BaseModel):
    """What a camera says of itself."""

    manufacturer: str
    model: str
    firmware: str
    serial: str
    clock_offset_s: float | None = Field(
        description="Seconds by which its clock is ahead; null where it tells no time."
    )
    streams: list[OfferedStreamRead]

    @classmethod
    def of(cls, found: Described) -> "CameraRead":
        """What a camera said as clients see it."""
        streams = [
            OfferedStreamRead(name=one.name, uri=one.uri, codec=one.codec, size=one.size_wh, fps=one.fps)
            for one in found.streams
        ]
        return cls(
            manufacturer=found.manufacturer, model=found.model, firmware=found.firmware, serial=found.serial,
            clock_offset_s=found.clock_offset_s, streams=streams,
        )  # fmt: skip
