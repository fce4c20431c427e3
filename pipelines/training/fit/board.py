"""Curves for TensorBoard, where somebody wants them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from pipelines.errors import ConfigInvalid
from pipelines.training.fit.loop import Look


class Board(Protocol):
    """What takes the numbers of a run."""

    def __call__(self, look: Look) -> None:
        """Take in a look."""
        ...


@contextmanager
def board(out: Path, is_wanted: bool) -> Iterator[Board]:
    """A writer of event files into `out/tensorboard`, or of nothing; raises ConfigInvalid without the package."""
    if not is_wanted:
        yield lambda look: None  # noqa: ARG005 - nobody wants it
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as cause:
        raise ConfigInvalid("run.tensorboard needs the package tensorboard: pip install tensorboard") from cause
    writer = SummaryWriter(str(out / "tensorboard"))

    def write(look: Look) -> None:
        for name, value in asdict(look).items():
            if name != "step" and value == value:
                writer.add_scalar(name, value, look.step)

    try:
        yield write
    finally:
        writer.close()
