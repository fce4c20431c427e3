"""Everything that the OpenAPI document allows, and much that it does not, against a running service."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok

from service.app import create_app
from service.database import Database, migrate
from service.security import KeyStore
from service.settings import load_settings
from tests.service.conftest import Running, running

pytestmark = pytest.mark.slow

AnyCase: TypeAlias = Case[Any]
# Only the document is made here: the application is not started, and nothing is opened.
SCHEMA = schemathesis.openapi.from_dict(create_app(load_settings(home=Path("/nowhere"))).openapi())
OPERATIONS = {found.ok().label: found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok)}

_IN_NO_SCHEMA = {
    "GET /v1/jobs": "whether a page gave the cursor",
    "GET /v1/streams": "whether a page gave the cursor",
    "GET /v1/events": "whether a page gave the cursor",
    "GET /v1/webhooks/{webhook_id}/deliveries": "whether a page gave the cursor",
    "GET /v1/actions": "which models there are",
    "POST /v1/streams": "which corners make a polygon",
    "PATCH /v1/streams/{stream_id}": "which corners make a polygon",
    "POST /v1/webhooks": "which addresses a webhook may have",
    "PATCH /v1/webhooks/{webhook_id}": "which addresses a webhook may have",
}
"""Why a request may be refused although its schema allows it."""


@pytest.fixture(scope="module")
def service_and_key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, str]]:
    home = tmp_path_factory.mktemp("schemathesis")
    database = Database(f"sqlite:///{home / 'actogram.sqlite3'}")
    migrate(database)
    key = KeyStore(database).create("schemathesis", "admin")
    database.close()
    with running(home, webhooks_max=10_000, source_schemes="http", jobs_queued_max=100_000) as service:
        yield service, key


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("label", list(OPERATIONS))
def test_api_keeps_what_its_document_promises(
    service_and_key: tuple[Running, str], label: str, mode: GenerationMode
) -> None:
    service, key = service_and_key

    @settings(
        max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )  # fmt: skip
    @given(case=OPERATIONS[label].as_strategy(generation_mode=mode))
    def ask(case: AnyCase) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        if isinstance(case.body, dict) and mode.is_positive:
            # Which models there are is in no schema; the default one is there.
            case.body.pop("model", None)
        excluded = [schemathesis.checks.positive_data_acceptance] if label in _IN_NO_SCHEMA else []
        if mode.is_negative and _broke_no_tag(case):
            excluded.append(schemathesis.checks.negative_data_rejection)
        case.call_and_validate(base_url=service.url, headers=headers, timeout=20, excluded_checks=excluded)

    # Raised for paths at which nothing can be wrong: they take no value.
    with contextlib.suppress(Unsatisfiable):
        ask()


def _broke_no_tag(case: AnyCase) -> bool:
    """Whether a form was to have a tag that breaks the schema, and got one that does not.

    Schemathesis 4.32 draws `*` at times where it should draw a text that its pattern (no NUL character) refuses.
    """
    tags = case.body.get("tags") if isinstance(case.body, dict) else None
    described = str(getattr(case.meta.phase.data, "description", "")) if case.meta else ""
    if not isinstance(tags, dict) or "violates `pattern` at /properties/tags/additionalProperties" not in described:
        return False
    return all(isinstance(text, str) and "\0" not in text for text in tags.values())


def test_operations_whose_schema_says_less_are_still_there() -> None:
    assert set(_IN_NO_SCHEMA) <= set(OPERATIONS)
