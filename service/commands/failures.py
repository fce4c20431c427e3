"""How a command fails: one line on stderr, and status 2 for what the caller can put right, 1 for the rest."""

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
        "layout_not_served",
        "contract_mismatch",
        "folder_unwritable",
        "config_invalid",
        "settings_invalid",
        "package_missing",
    }
)


@contextmanager
def reported() -> Iterator[None]:
    """Run the block; one of our own errors ends the process as described above, with its stable code."""
    from models.errors import ModelError
    from pipelines.errors import PipelineError

    try:
        yield
    except (ModelError, PipelineError) as error:
        click.echo(f"actogram: {error.code}: {error}", err=True)
        raise SystemExit(2 if error.code in _INPUT_CODES else 1) from error
    except KeyboardInterrupt:
        raise SystemExit(130) from None
