"""Files that only the server's own user may read: the home, the database, uploads, keys."""

import contextlib
import logging
import os
import stat
from pathlib import Path

from service.settings import Settings

logger = logging.getLogger(__name__)

_FOLDER, _FILE = 0o700, 0o600
_UMASK = 0o077
_NAMES = ("actogram.sqlite3*", "serve.lock", "secret.key", "reserve", "audit.jsonl*")


def make_private_by_default() -> None:
    """Whatever this process and its workers create from now on is readable by their user alone."""
    os.umask(_UMASK)


def tighten_home(settings: Settings) -> None:
    """Close the home and what an earlier version left open in it; what is not ours is left alone, and said."""
    settings.home.mkdir(mode=_FOLDER, parents=True, exist_ok=True)
    _tighten(settings.home)
    for pattern in _NAMES:
        for path in settings.home.glob(pattern):
            _tighten(path)
    for folder, folders, files in os.walk(settings.blobs):
        for name in (*folders, *files, "."):
            _tighten(Path(folder, name))


def make_private_file(path: Path) -> None:
    """Make a file where there is none, closed to others from its first moment; an existing one is closed."""
    path.parent.mkdir(mode=_FOLDER, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _FILE))
    _tighten(path)


def _tighten(path: Path) -> None:
    try:
        found = path.lstat()
        wanted = _FOLDER if stat.S_ISDIR(found.st_mode) else _FILE
        is_shared = bool(found.st_mode & stat.S_ISVTX)
        if stat.S_ISLNK(found.st_mode) or not stat.S_IMODE(found.st_mode) & ~wanted:
            return
        if is_shared or found.st_uid != os.geteuid():
            logger.warning("%s is open to others and not ours to close", path)
            return
        path.chmod(stat.S_IMODE(found.st_mode) & wanted)
    except FileNotFoundError:
        return  # it was removed meanwhile
    except OSError as error:
        logger.warning("%s stays open to others: %s", path, error.strerror)
