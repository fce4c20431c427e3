"""A command that another process handed over ends when that process does, however that ended."""

import os
import threading
import time

STARTED_BY = "HANDED_OVER_BY"
"""The variable by which the process that hands a command over says its own number."""
_LOOK_S = 0.25


def end_with_starter() -> None:
    """From now on end with the process that handed this command over; does nothing where none did.

    A user who kills `actogram prepare` and calls it again must not find the first one still at work.
    """
    starter = os.environ.get(STARTED_BY)
    if starter is not None and starter == str(os.getppid()):
        threading.Thread(target=_watch, args=(int(starter),), name="starter", daemon=True).start()


def _watch(starter: int) -> None:
    while os.getppid() == starter:
        time.sleep(_LOOK_S)
    os._exit(1)
