"""Reads and changes files of `NAME=value` lines, as compose reads them."""

import os
from collections.abc import Mapping
from pathlib import Path


def read(path: Path) -> dict[str, str]:
    """The names that a file sets; empty when there is none."""
    if not path.is_file():
        return {}
    lines = [line.strip() for line in path.read_text().splitlines()]
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def change(path: Path, values: Mapping[str, str]) -> None:
    """Set some names, where they stand or at the end; the rest stays as it is. Only the owner may read the file."""
    lines = path.read_text().splitlines() if path.is_file() else []
    missing = dict(values)
    for index, line in enumerate(lines):
        name = line.split("=", 1)[0]
        if not line.startswith("#") and name in values:
            lines[index] = f"{name}={values[name]}"
            missing.pop(name, None)
    lines += [f"{name}={value}" for name, value in missing.items()]
    part = path.with_name(f".{path.name}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write("\n".join(lines) + "\n")
    part.replace(path)
