"""A decoder process that works, and goes wrong at its third picture in the way that its first argument names."""

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable

import numpy as np

from pipelines.stream.sources.decoder_child import Decoder, serve
from pipelines.stream.sources.decoder_messages import Message, PictureReady, Refused, encode

_GOOD_PICTURES = 2


class BadDecoder(Decoder):
    """Goes wrong in place of saying that its third picture is ready."""

    _num_said = 0

    def say(self, message: Message) -> None:
        """Tell the other side, as long as it goes well."""
        if not isinstance(message, PictureReady):
            super().say(message)
            return
        self._num_said += 1
        if self._num_said <= _GOOD_PICTURES:
            super().say(message)
        else:
            _FAULTS[sys.argv[1]](self, message)

    def send(self, line: bytes) -> None:
        """Any bytes at all."""
        self._peer.sendall(line)

    def tell(self, text: str) -> None:
        """Hand a text over as an error."""
        super().say(Refused("SourceError", "told", text))

    def hang_up(self) -> None:
        """Close the socket and live on."""
        self._peer.close()
        time.sleep(600)


def _segfault(decoder: BadDecoder, message: PictureReady) -> None:
    ctypes.string_at(0)


def _hang_in_native_code(decoder: BadDecoder, message: PictureReady) -> None:
    ctypes.PyDLL(None).sleep(600)  # keeps the interpreter's lock, as a decoder may that never returns


def _spin(decoder: BadDecoder, message: PictureReady) -> None:
    while True:
        pass


def _allocate(decoder: BadDecoder, message: PictureReady) -> None:
    np.ones(8 << 30, np.uint8)


def _raise(decoder: BadDecoder, message: PictureReady) -> None:
    raise KeyError("a fault of the decoder's own")


def _endless(decoder: BadDecoder, message: PictureReady) -> None:
    while True:
        decoder.send(b"x" * 4096)


def _open_file(decoder: BadDecoder, message: PictureReady) -> None:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        decoder.tell(str(error))
    else:
        decoder.tell("opened")


def _changed(**changes: object) -> Callable[[BadDecoder, PictureReady], None]:
    """A picture whose message is wrong in these fields."""

    def send(decoder: BadDecoder, message: PictureReady) -> None:
        decoder.send(json.dumps(json.loads(encode(message)) | changes).encode() + b"\n")

    return send


_INFO = {
    "size_wh": [64, 48], "stored_wh": [64, 48], "duration_s": None, "num_frames": None, "fps": None, "codec": "h264",
    "container": "mov",
}  # fmt: skip
_FAULTS: dict[str, Callable[[BadDecoder, PictureReady], None]] = {
    "segfault": _segfault,
    "abort": lambda decoder, message: os.abort(),
    "killed": lambda decoder, message: os.kill(os.getpid(), signal.SIGKILL),
    "exit": lambda decoder, message: os._exit(3),
    "stopped": lambda decoder, message: os.kill(os.getpid(), signal.SIGSTOP),
    "hang": _hang_in_native_code,
    "spin": _spin,
    "allocate": _allocate,
    "raise": _raise,
    "hang up": lambda decoder, message: decoder.hang_up(),
    "not a message": lambda decoder, message: decoder.send(b"cos\nsystem\n"),
    "half a message": lambda decoder, message: decoder.send(encode(message)[:20]),
    "endless message": _endless,
    "deep message": lambda decoder, message: decoder.send(b"[" * 60_000 + b"\n"),
    "no such place": _changed(place=4),
    "negative place": _changed(place=-1),
    "too large a picture": _changed(size_wh=[100_000, 100_000]),
    "picture without pixels": _changed(size_wh=[0, 48]),
    "negative size": _changed(size_wh=[-64, -48]),
    "fields missing": _changed(frame={"index": 2}),
    "wrong type": _changed(frame={"index": "two", "time_s": None, "wall_s": None}),
    "opened twice": lambda decoder, message: decoder.send(
        json.dumps({"kind": "opened", "info": _INFO, "counts": {}}).encode() + b"\n"
    ),
    "environment": lambda decoder, message: decoder.tell(" ".join(os.environ)),
    "descriptors": lambda decoder, message: decoder.tell(" ".join(map(str, _open_descriptors()))),
    "open a file": _open_file,
}


def _open_descriptors() -> list[int]:
    """Asked one by one: no folder can be opened to list them."""
    found = []
    for handle in range(1024):
        try:
            os.fstat(handle)
        except OSError:
            continue
        found.append(handle)
    return found


if __name__ == "__main__":
    serve(BadDecoder)
