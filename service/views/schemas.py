"""What clients send and get about saved views."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints

Page = Literal["review", "events", "insights"]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]
_Query = Annotated[
    dict[
        Annotated[str, StringConstraints(min_length=1, max_length=40, pattern="^[a-z_]+$")],
        Annotated[str, StringConstraints(max_length=256)],
    ],
    Field(max_length=30, description="What the page's address holds, name → value."),
]


class ViewCreate(BaseModel):
    """A view to save."""

    model_config = ConfigDict(extra="forbid")

    name: _Name
    page: Page = "review"
    query: _Query
    shared: StrictBool = Field(False, description="Whether other keys see it too.")


class ViewPatch(BaseModel):
    """What may be changed of a view."""

    model_config = ConfigDict(extra="forbid")

    name: _Name | None = None
    query: _Query | None = None
    shared: StrictBool | None = None


class ViewRead(BaseModel):
    """A saved view."""

    view_id: str
    name: str
    page: Page
    query: dict[str, str]
    shared: bool
    is_mine: bool = Field(description="Whether the key that asks saved it.")
    created_at: dt.datetime


class ViewList(BaseModel):
    """The views that a key sees: its own and those that others share, by name."""

    items: list[ViewRead]
