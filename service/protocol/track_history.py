"""The last seconds of a person's skeletons: asked for by the service with a file, answered by the stream's worker."""

import logging
import re
import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path

logger = logging.getLogger(__name__)

_POLL_S = 0.02
_QUESTION = re.compile(r"track-(\d+)-[0-9a-f]+\.ask")


def ask(folder: Path, track_id: int, timeout_s: float) -> list[str]:
    """What the worker of the stream in a folder remembers of a person, one JSON object a line.

    Empty where it remembers nothing, and where no worker answered in time.
    """
    if not folder.is_dir():
        return []
    question = folder / f"track-{track_id}-{secrets.token_hex(4)}.ask"
    answer = question.with_suffix(".jsonl")
    deadline_s = time.monotonic() + timeout_s
    try:
        question.touch()
        while not answer.exists() and time.monotonic() < deadline_s:
            time.sleep(_POLL_S)
        return answer.read_text(encoding="utf-8").splitlines() if answer.exists() else []
    except FileNotFoundError:
        return []  # the stream was removed meanwhile
    finally:
        question.unlink(missing_ok=True)
        answer.unlink(missing_ok=True)


def answer_questions(folder: Path, lines_of: Callable[[int], Iterable[str]]) -> None:
    """Answer what is asked in a folder; `lines_of` gives the lines of a person."""
    try:
        questions = [path for path in folder.iterdir() if path.suffix == ".ask"]
    except FileNotFoundError:
        return
    for question in questions:
        found = _QUESTION.fullmatch(question.name)
        try:
            question.unlink()
            if found is not None:
                _write(question.with_suffix(".jsonl"), lines_of(int(found[1])))
        except FileNotFoundError:
            continue  # whoever asked has waited long enough
        except OSError as error:
            logger.warning("%s: not answered: %s", question.name, error.strerror)


def forget_questions(folder: Path) -> None:
    """Remove what a server that was killed left."""
    for path in folder.glob("track-*"):
        path.unlink(missing_ok=True)


def _write(path: Path, lines: Iterable[str]) -> None:
    partial = path.with_suffix(".part")
    partial.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    partial.replace(path)
