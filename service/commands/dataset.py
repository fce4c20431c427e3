"""`actogram dataset`: handed over to the training package."""

from collections.abc import Sequence

from service.commands.handover import handed_over
from service.settings import Settings


def _nothing(settings: Settings, args: Sequence[str]) -> list[str]:  # noqa: ARG001 - the same shape as with_data
    return []


command = handed_over("dataset", "Look into skeleton data sets.", _nothing, needs_torch=False)
