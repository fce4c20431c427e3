"""Decrypts the segments of encrypted playlists: AES-128 in CBC mode, by FFmpeg, from a file that we fetched."""

import os
import re
import tempfile

import av

_HEX = re.compile(r"[0-9A-Fa-f]{32}")


def decrypt(data: bytes, key: str, iv: str) -> bytes:
    """A segment in the clear; empty where it cannot be decrypted.

    key, iv: 32 hexadecimal digits each.
    """
    if not data or not _HEX.fullmatch(key) or not _HEX.fullmatch(iv):
        return b""
    # FFmpeg's decryption is a protocol, and a protocol reads from a name.
    with tempfile.NamedTemporaryFile(prefix="segment-") as file:
        file.write(data)
        file.flush()
        options = {"key": key, "iv": iv, "protocol_whitelist": "crypto,file"}
        try:
            with av.open(f"crypto:file:{os.fspath(file.name)}", format="data", options=options) as container:
                return b"".join(bytes(packet) for packet in container.demux() if packet.size)
        except av.error.FFmpegError:
            return b""
