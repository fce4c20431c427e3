"""Looks at an address once, in a process of its own: what comes from there, and one picture of it."""

import base64
import binascii
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from pydantic import TypeAdapter, ValidationError

from pipelines.addresses.networks import Network
from pipelines.addresses.policy import AddressPolicy
from pipelines.errors import DecoderFailed, SourceError, SourceForbidden, SourceUnavailable
from pipelines.orientation import Rotation
from pipelines.stream.sources.decoder_process import child_environment
from pipelines.stream.sources.status import Transport

PROBE = (sys.executable, "-P", "-m", "pipelines.stream.sources.probe_child")
_ANSWER_BYTES_MAX = 8 << 20
_SLICE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class ProbeOrder:
    """What is to be opened, and how its picture is shown.

    uri: may hold a login. rotate, mirror: as a camera has them. is_coarse: the picture is made so coarse that
    nobody in it can be known. max_side_px: of the picture.
    """

    uri: str = field(repr=False)
    transport: Transport = "tcp"
    rotate: Rotation = 0
    mirror: bool = False
    is_coarse: bool = False
    max_side_px: int = 960


@dataclass(frozen=True, slots=True)
class PolicyOrder:
    """An AddressPolicy without its resolver: the process asks this machine's."""

    schemes: frozenset[str]
    networks: frozenset[Network]
    folders: tuple[Path, ...]
    hosts: tuple[str, ...]
    setting: str

    @staticmethod
    def of(policy: AddressPolicy) -> "PolicyOrder":
        """What of a policy can be said to another process."""
        return PolicyOrder(policy.schemes, policy.networks, policy.folders, policy.hosts, policy.setting)

    def policy(self) -> AddressPolicy:
        """The policy itself."""
        return AddressPolicy(self.schemes, self.networks, self.folders, self.hosts, self.setting)


@dataclass(frozen=True, slots=True)
class Probed:
    """What was found at an address.

    size_wh: pixels as the camera sends them. fps: pictures per second as they came; None where too few came to tell.
    opened_s: seconds until the first picture. jpeg: that picture, turned upright.
    """

    codec: str
    size_wh: tuple[int, int]
    fps: float | None
    opened_s: float
    jpeg: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Answer:
    """One line of the process: what was found, or why nothing was."""

    codec: str = ""
    size_wh: tuple[int, int] = (0, 0)
    fps: float | None = None
    opened_s: float = 0.0
    jpeg: str = field(default="", repr=False)
    code: str = ""
    message: str = ""


ORDER, POLICY, _ANSWER = TypeAdapter(ProbeOrder), TypeAdapter(PolicyOrder), TypeAdapter(_Answer)


def probe(order: ProbeOrder, policy: AddressPolicy, limit_s: float = 15.0, program: Sequence[str] = PROBE) -> Probed:
    """Open an address, take a second of its pictures, and close it.

    Raises SourceForbidden for an address that the policy refuses, SourceUnavailable with one of its codes (`timeout`
    where it takes longer than limit_s), DecoderFailed where what comes is more than the decoder takes.
    """
    address = policy.require(order.uri)
    if address.scheme.opening == "push":
        raise SourceForbidden("push: pictures are sent to us; there is nothing to open")
    process = subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=child_environment(),
        start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        # Its standard input stays open: the process ends when it closes, should this one die.
        _tell(process.stdin, {"order": ORDER.dump_python(order), "policy": POLICY.dump_python(PolicyOrder.of(policy))})
        found = _read(process.stdout, limit_s)
    except TimeoutError as error:
        raise SourceUnavailable(f"{address.shown}: no picture within {limit_s:g} s", code="timeout") from error
    finally:
        process.kill()
        process.communicate()
    return _probed(found, address.shown)


def encode_found(found: Probed) -> bytes:
    """What the process says of a picture that it found."""
    return _encode(
        _Answer(found.codec, found.size_wh, found.fps, found.opened_s, base64.b64encode(found.jpeg).decode("ascii"))
    )


def encode_fault(error: SourceError) -> bytes:
    """What the process says where nothing can be seen."""
    return _encode(_Answer(code=error.code, message=str(error)))


def _encode(answer: _Answer) -> bytes:
    return _ANSWER.dump_json(answer) + b"\n"


def _tell(pipe: IO[bytes], order: Mapping[str, object]) -> None:
    def plain(value: object) -> object:
        return sorted(value) if isinstance(value, frozenset) else str(value)

    try:
        pipe.write(json.dumps(order, default=plain).encode() + b"\n")
        pipe.flush()
    except OSError as error:
        raise DecoderFailed("the process that looks at addresses cannot be started") from error


def _read(pipe: IO[bytes], limit_s: float) -> bytes:
    """All that the process says; raises TimeoutError, DecoderFailed."""
    until_s, received = time.monotonic() + limit_s, b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while not received.endswith(b"\n"):
            left_s = until_s - time.monotonic()
            if left_s <= 0 or not selector.select(left_s):
                raise TimeoutError
            more = os.read(pipe.fileno(), _SLICE_BYTES)
            received += more
            if not more or len(received) > _ANSWER_BYTES_MAX:
                break
    return received


def _probed(line: bytes, shown: str) -> Probed:
    try:
        answer = _ANSWER.validate_json(line)
        jpeg = base64.b64decode(answer.jpeg, validate=True)
    except (ValidationError, binascii.Error) as error:
        raise DecoderFailed(f"{shown}: the process that opened it ended without a word") from error
    if answer.code == SourceForbidden.code:
        raise SourceForbidden(answer.message)
    if answer.code == DecoderFailed.code:
        raise DecoderFailed(answer.message)
    if answer.code or not jpeg:
        raise SourceUnavailable(answer.message or f"{shown}: no picture came", code=answer.code or "timeout")
    return Probed(answer.codec, answer.size_wh, answer.fps, answer.opened_s, jpeg)
