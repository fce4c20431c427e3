"""SRT: one entry in the table of schemes; FFmpeg may lack it, and dials the checked address where it does not."""

import threading
from collections.abc import Sequence

import av
import pytest

from pipelines.addresses.policy import AddressPolicy
from pipelines.errors import SourceForbidden
from pipelines.stream.sources.connection import AvConnector
from pipelines.stream.sources.info import SourceLimits
from pipelines.stream.sources.status import LiveOptions

OPTIONS = LiveOptions(open_timeout_s=1.0)


def _has_srt() -> bool:
    """Whether PyAV's FFmpeg speaks SRT; a port that nobody answers on tells."""
    try:
        av.open("srt://127.0.0.1:9", timeout=0.1)
    except av.error.ProtocolNotFoundError:
        return False
    except av.error.FFmpegError:
        return True
    return True


def _connect(uri: str, *addresses: str) -> None:
    def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    policy = AddressPolicy(networks=frozenset({"loopback"}), resolve=resolve)
    AvConnector(uri, policy, OPTIONS, SourceLimits())(lambda packet, stream: None, threading.Event())


@pytest.mark.skipif(_has_srt(), reason="this build of FFmpeg speaks SRT")
def test_srt_says_that_this_build_of_ffmpeg_lacks_it() -> None:
    with pytest.raises(SourceForbidden, match="source scheme srt is not in this build of FFmpeg"):
        _connect("srt://cam.example:9000?passphrase=hunter2hunter2", "127.0.0.1")


def test_srt_is_held_by_the_policy() -> None:
    with pytest.raises(SourceForbidden, match="private"):
        _connect("srt://cam.example:9000", "10.0.0.1")


def test_srt_needs_a_port() -> None:
    with pytest.raises(SourceForbidden, match="names no port"):
        AddressPolicy().require("srt://cam.example")
