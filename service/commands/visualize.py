"""`actogram visualize`: handed over to the training package."""

from collections.abc import Sequence

from service.commands.handover import handed_over, with_data
from service.settings import Settings


def _extend(settings: Settings, args: Sequence[str]) -> list[str]:
    """Only the focus of a label is looked up in the sets of a recipe."""
    return with_data(settings, args) if list(args[:1]) == ["focus"] else []


command = handed_over("visualize", "Draw skeletons, heatmaps, confusion and the focus of a label.", _extend)
