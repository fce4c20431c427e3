"""Columns whose content is sealed in the database and open in the program."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import sqlalchemy as sa
from pydantic import JsonValue

if TYPE_CHECKING:
    from service.secret_box import SecretBox

_BOX = "actogram_box"


def attach(engine: sa.Engine, box: "SecretBox | None") -> None:
    """Give an engine's columns the box to seal with; without one they are stored and read as they are."""
    setattr(engine.dialect, _BOX, box)


def box_of(dialect: sa.Dialect) -> "SecretBox | None":
    """The box of an engine."""
    found: SecretBox | None = getattr(dialect, _BOX, None)
    return found


class SealedText(sa.TypeDecorator[str]):
    """A text that nobody reads out of the database file."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """Seal."""
        box = box_of(dialect)
        return value if value is None or box is None else box.seal(value)

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """Open."""
        box = box_of(dialect)
        return value if value is None or box is None else box.open(value)


class SealedSource(sa.TypeDecorator[Mapping[str, JsonValue]]):
    """A stream's settings, of which the source's address is sealed."""

    impl = sa.JSON
    cache_ok = True

    def process_bind_param(
        self, value: Mapping[str, JsonValue] | None, dialect: sa.Dialect
    ) -> Mapping[str, JsonValue] | None:
        """Seal."""
        box = box_of(dialect)
        return value if value is None or box is None else with_uri(value, box.seal)

    def process_result_value(
        self, value: Mapping[str, JsonValue] | None, dialect: sa.Dialect
    ) -> Mapping[str, JsonValue] | None:
        """Open."""
        box = box_of(dialect)
        return value if value is None or box is None else with_uri(value, box.open)


def with_uri(config: Mapping[str, JsonValue], change: Callable[[str], str]) -> Mapping[str, JsonValue]:
    """The settings with another text for the source's address."""
    source = config.get("source")
    if not isinstance(source, dict) or not isinstance(source.get("uri"), str):
        return config
    return {**config, "source": {**source, "uri": change(str(source["uri"]))}}
