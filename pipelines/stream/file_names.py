"""File names that are not valid text: how people see them, and how libraries that expect text open them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def printable(name: str) -> str:
    """The name with a replacement character for each byte that is not UTF-8, so that any file or terminal takes it."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@contextmanager
def text_path(path: Path) -> Iterator[Path]:
    """A path to the same file whose name is valid UTF-8: the file's own, else a link that lives as long as the block.

    FFmpeg's binding encodes names strictly; old archives hold names in Latin-1 or Shift-JIS.
    Raises OSError where no link can be made.
    """
    path = path.absolute()
    if printable(str(path)) == str(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="actogram-") as folder:
        link = Path(folder, "video")
        link.symlink_to(path)
        yield link
