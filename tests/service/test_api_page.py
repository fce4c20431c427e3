"""The reference at /docs: all of the OpenAPI document, and nothing from elsewhere."""

import re

import pytest

from tests.service.conftest import Running


@pytest.fixture(scope="module")
def page(service: Running) -> str:
    told = service.http.get("/docs")
    assert told.status_code == 200
    assert told.headers["content-type"].startswith("text/html")
    return told.text


def test_reference_tells_of_every_operation_schema_and_message(service: Running, page: str) -> None:
    document = service.http.get("/openapi.json").json()

    for path, methods in document["paths"].items():
        for method in methods:
            assert f"<code>{method.upper()} {path}</code>" in page
    for name in document["components"]["schemas"]:
        assert f'id="schema-{name}"' in page
    for name in (*document["webhooks"], *document["x-websockets"]):
        assert f"<code>{name}</code>" in page


def test_reference_asks_nobody_else(page: str) -> None:
    asked = re.findall(r'(?:src|href)="([^"#][^"]*)"', page)

    assert "<script" not in page
    assert "style=" not in page
    assert [one for one in asked if not re.fullmatch(r"assets/[\w/.-]+|openapi\.json|\./", one)] == []


def test_reference_links_to_what_is_there(service: Running, page: str) -> None:
    ids = set(re.findall(r'id="([^"]+)"', page))
    parts = set(re.findall(r'href="(assets/[^"]+)"', page))

    assert set(re.findall(r'href="#([^"]+)"', page)) <= ids
    assert {service.http.get(f"/{part}").status_code for part in parts} == {200}
