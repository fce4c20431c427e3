"""Writes docs/settings.md out of settings.py: `python -m service.settings_page`, or `make settings`."""

import sys
import types
from pathlib import Path, PurePath
from typing import Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from service.settings import Settings, variable

PAGE = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
_HEAD = """# Settings

Made by `make settings` out of `service/settings.py`. Do not edit.

Every setting is an environment variable. What begins with `ACTOGRAM_` and is none of these is refused, with the name
that was probably meant; an empty one counts as not set. In containers they go into `.env` or `actogram.env`
([deploy.md](deploy.md)).

| variable | what | takes | default |
|---|---|---|---|
"""
_TAIL = """
Read by others: `ACTOGRAM_BIND` and `ACTOGRAM_LISTEN_PORT` by the container's entry point, `FORWARDED_ALLOW_IPS` (whose
word on visitors' addresses and TLS is believed, by default this machine's) and `SSL_CERT_FILE` (further authorities) by
the libraries.
"""
_SIGNS = {"ge": "at least", "gt": "over", "le": "at most", "lt": "under"}
_UNITS = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def page() -> str:
    """The page as it should be."""
    rows = (_row(name, field) for name, field in Settings.model_fields.items())
    return _HEAD + "\n".join(rows) + "\n" + _TAIL


def _row(name: str, field: FieldInfo) -> str:
    cells = (f"`{variable(name)}`", field.description or "", _takes(field), _default(name, field))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _takes(field: FieldInfo) -> str:
    bounds = [
        f"{words} {_number(getattr(one, sign))}"
        for one in field.metadata
        for sign, words in _SIGNS.items()
        if getattr(one, sign, None) is not None
    ]
    return ", ".join([_kind(field.annotation), *bounds])


def _kind(annotation: object) -> str:
    if get_origin(annotation) is Literal:
        return " or ".join(str(one) for one in get_args(annotation))
    if get_origin(annotation) in (Union, types.UnionType):
        return _kind(next(one for one in get_args(annotation) if one is not type(None)))
    if get_origin(annotation) in (frozenset, tuple):
        return "a list"
    if annotation is bool:
        return "true or false"
    if annotation in (int, float):
        return "a number"
    return "a path" if isinstance(annotation, type) and issubclass(annotation, PurePath) else "text"


def _default(name: str, field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "`~/.actogram`"
    found = field.default
    if found is None or found in ("", frozenset(), ()):
        return ""
    if isinstance(found, frozenset):
        return f"`{','.join(sorted(found))}`"
    if isinstance(found, bool):
        return f"`{str(found).lower()}`"
    if name.endswith("_bytes") or "_bytes_" in name:
        return f"{_number(found)} ({_bytes(found)})"
    return _number(found) if isinstance(found, (int, float)) else f"`{found}`"


def _bytes(number: int) -> str:
    size, unit = next((size, unit) for size, unit in _UNITS if number % size == 0)
    return f"{number // size} {unit}"


def _number(value: object) -> str:
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
