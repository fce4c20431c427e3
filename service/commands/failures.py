"""How a command fails: one line on stderr, status 2 for what the user can put right in the call, 1 for the rest."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

_INPUT_CODES = frozenset(
    {
        "unsupported_media",
        "source_truncated",
        "too_large",
        "not_found",
        "source_forbidden",
        "model_unknown",
        "config_invalid",
    }
)


@contextmanager
def reported() -> Iterator[None]:
    """Run the block; an error of ours ends the process as above, with its stable code."""
    from pydantic import ValidationError

    from models.errors import ModelError
    from pipelines.errors import PipelineError

    try:
        yield
    except (ModelError, PipelineError) as error:
        click.echo(f"actogram: {error.code}: {error}", err=True)
        raise SystemExit(2 if error.code in _INPUT_CODES else 1) from error
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        click.echo(f"actogram: settings_invalid: ACTOGRAM_{name}: {first['msg']}", err=True)
        raise SystemExit(2) from error
