"""Pictures for whoever looks at a stream now: the wish for them, and one picture."""

from dataclasses import dataclass, field
from typing import Literal

from pydantic import Base64UrlBytes

SHOW_S = 5.0
"""For how long one wish holds; whoever still looks then says so again."""
JPEG_BYTES_MAX = 2**20


@dataclass(frozen=True, slots=True)
class ShowPreview:
    """Somebody looks: send pictures for the next seconds.

    for_s: seconds from the arrival of this message, because two machines' clocks differ.
    """

    task_id: str
    for_s: float = SHOW_S
    type: Literal["show_preview"] = "show_preview"


@dataclass(frozen=True, slots=True)
class PreviewPicture:
    """The newest picture of a stream; best effort, one that was not sent yet gives way to the next.

    jpeg: at most JPEG_BYTES_MAX bytes, with the frame's index and media time in a comment.
    """

    task_id: str
    generation: int
    jpeg: Base64UrlBytes = field(repr=False)
    type: Literal["preview_picture"] = "preview_picture"
