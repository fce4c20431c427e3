"""Shows an address without anything that could be a secret: what is not known to be harmless is hidden."""

import re

HIDDEN = "***"
_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*):(//)?")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+(%[\w.%-]+)?\]|[\w.-]+)(:\d{1,5})?")
_PAIR = re.compile(r"(?<=[/?&;])([^=/?&;]*)=([^?&;]*)")  # a password in a path may hold "/"
# Names whose values choose among pictures; every other value might be a password.
_HARMLESS = frozenset({
    "action", "audio", "camera", "cameraid", "channel", "channelid", "channelno", "chn", "codec", "compression", "date",
    "end", "endtime", "format", "fps", "framerate", "height", "input", "latency", "linktype", "media", "mode",
    "profile", "proto", "protocol", "quality", "rate", "res", "resolution", "size", "start", "starttime", "stream",
    "streamtype", "subtype", "timeout", "transport", "transportmode", "type", "unicast", "video", "videocodec", "width",
})  # fmt: skip
_PATHS = frozenset({"file", "webcam", "push"})


def redact(uri: str) -> str:
    """The address without its login, its fragment and every value that is not known to be harmless.

    Takes any text, also what is not an address at all, and never raises.
    """
    text = "".join(letter if letter.isprintable() else "?" for letter in uri)
    match = _SCHEME.match(text)
    name = match[1].lower() if match else ""
    if match and name in _PATHS and "@" not in text:
        return text.partition("?")[0].partition("#")[0]
    if match and match[2]:
        return f"{match[1]}://{_redact_rest(text[match.end() :])}"
    if match is None and "@" not in text:
        return _redact_tail(text)
    # "user:password@host", "http:user@host" and the like: nothing says where the login ends.
    return f"{HIDDEN}@{_redact_rest(text.rpartition('@')[2])}" if "@" in text else HIDDEN


def _redact_rest(rest: str) -> str:
    """What stands behind `//`."""
    # A password may hold "/", "@", "?" or "#" unescaped: everything up to the last "@" goes.
    login, mark, rest = rest.rpartition("@")
    end = re.search(r"[/?#;]", rest)
    host, tail = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    # "admin:hunter2" without a host behind it is a login, not a host and its port.
    shown = host if _HOST.fullmatch(host) or not host else HIDDEN
    return (f"{HIDDEN}@" if login or mark else "") + shown + _redact_tail(tail)


def _redact_tail(tail: str) -> str:
    """A path and its query."""
    path, mark, query = tail.partition("#")[0].partition("?")
    path = _PAIR.sub(_redact_pair, _hide_loose(path, ";&"))
    if not mark:
        return path
    parts = re.split(r"[&;]", query)
    return path + "?" + "&".join(_redact_parameter(part) for part in parts)


def _hide_loose(path: str, marks: str) -> str:
    """A path whose parameters without a name are hidden: `/live;secret`."""
    return re.sub(rf"([{marks}])([^{marks}/=]+)(?=[{marks}/]|$)", rf"\g<1>{HIDDEN}", path)


def _redact_pair(match: re.Match[str]) -> str:
    return f"{match[1]}={match[2] if _is_harmless(match[1], match[2]) else HIDDEN}"


def _redact_parameter(part: str) -> str:
    name, mark, value = part.partition("=")
    if mark:
        return f"{name}={value if _is_harmless(name, value) else HIDDEN}"
    return HIDDEN if part else ""


def _is_harmless(name: str, value: str) -> bool:
    return name.lower() in _HARMLESS and re.fullmatch(r"[\w.:,-]{0,32}", value) is not None
