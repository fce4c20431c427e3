"""What is said of an event and of a person in a frame, wherever it is said: the API, messages, result files."""

from typing import TYPE_CHECKING, get_type_hints

from pydantic import BaseModel, Field, create_model

from pipelines.types import Event, NotAssessableReason, PersonStatus

if TYPE_CHECKING:
    EventFields = BaseModel
else:
    # Made from the fields of Event, so that a field added there is shown without a change here.
    EventFields = create_model("EventFields", **{name: (kind, ...) for name, kind in get_type_hints(Event).items()})


class FramePerson(BaseModel):
    """One person in one frame."""

    track_id: int
    box: tuple[float, float, float, float] = Field(description="left, top, right, bottom, 0..1 of the frame.")
    keypoints: list[tuple[float, float, float]] = Field(description="x, y, score per joint of the layout.")
    action: str | None = Field(description="The label shown; null where `status` says why there is none.")
    score: float
    status: PersonStatus
    reason: NotAssessableReason | None
    partner: int | None = Field(None, description="The track of whoever a model of pairs looked at beside this person.")
