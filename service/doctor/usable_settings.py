"""Settings for the checks: those in force, and defaults for the variables that are wrong."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from pipelines.errors import ConfigInvalid
from service.doctor.findings import Finding, one_line
from service.settings import Settings, load_settings

_NAME = "settings"
_NO_HOME = {"home": Path(".actogram")}


def usable_settings(environment: Mapping[str, str]) -> tuple[Settings, Finding]:
    """Settings that can be worked with, and what is wrong with those that were given; never raises for them."""
    try:
        settings = load_settings()
        count = sum(name.startswith("ACTOGRAM_") for name in environment)
        return settings, Finding(_NAME, "ok", f"{count} variable{'' if count == 1 else 's'} set, home {settings.home}")
    except ConfigInvalid as error:
        advice = "correct the variable; the other checks go on with its default"
        return _with_defaults({}), Finding(_NAME, "bad", one_line(str(error)), advice)
    except RuntimeError as error:
        # No variable HOME, and a user id without an entry: containers with an arbitrary user.
        advice = "set ACTOGRAM_HOME to a folder that this user may write"
        return _with_defaults(_NO_HOME), Finding(_NAME, "bad", one_line(str(error)), advice)


def _with_defaults(given: Mapping[str, object]) -> Settings:
    """The environment's settings, with defaults for those of them that are wrong."""
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except RuntimeError:
        return _with_defaults({**given, **_NO_HOME})
    except ValidationError as error:
        wrong = {str(fault["loc"][0]) for fault in error.errors(include_input=False)} & Settings.model_fields.keys()
        defaults = {name: Settings.model_fields[name].get_default(call_default_factory=True) for name in wrong}
        return Settings(**given, **defaults)  # type: ignore[arg-type]
