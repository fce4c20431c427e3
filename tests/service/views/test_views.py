"""Saved views: of the key that saved them, shared on request, never more than a key may keep."""

from pathlib import Path

import httpx
import pytest

from service.database import Database, migrate
from service.errors import Forbidden, NotFound, TooManyViews
from service.security import KeyStore, Principal
from service.views.control import VIEWS_MAX, ViewControl
from service.views.schemas import ViewCreate, ViewPatch
from tests.service.conftest import Running

ANN, BEN, ADA = (
    Principal("aaaaaaaaaaaa", "Ann", "viewer"), Principal("bbbbbbbbbbbb", "Ben", "operator"),
    Principal("cccccccccccc", "Ada", "admin"),
)  # fmt: skip
NOBODY = Principal("", "anyone on this machine", "admin")


@pytest.fixture
def control(tmp_path: Path) -> ViewControl:
    database = Database(f"sqlite:///{tmp_path / 'views.sqlite3'}")
    migrate(database)
    return ViewControl(database)


def wanted(name: str = "Falls", *, shared: bool = False) -> ViewCreate:
    return ViewCreate(name=name, query={"action": "fall"}, shared=shared)


def names(control: ViewControl, who: Principal) -> list[str]:
    return [row.name for row in control.list(who)]


def test_view_is_seen_by_others_once_it_is_shared(control: ViewControl) -> None:
    view = control.create(ANN, wanted())
    before = names(control, BEN)

    control.update(ANN, view.view_id, ViewPatch(shared=True, name="All falls"))

    assert (before, names(control, BEN), names(control, ANN)) == ([], ["All falls"], ["All falls"])


def test_view_is_changed_by_its_owner_or_where_shared_by_an_admin(control: ViewControl) -> None:
    own, shared = control.create(ANN, wanted()), control.create(ANN, wanted("Shared", shared=True))

    for who, view, error in ((BEN, own, NotFound), (ADA, own, NotFound), (BEN, shared, Forbidden)):
        with pytest.raises(error):
            control.delete(who, view.view_id)
    control.delete(ADA, shared.view_id)
    control.delete(ANN, own.view_id)

    assert names(control, ANN) == []


def test_views_of_a_server_without_keys_are_an_admins_later(control: ViewControl) -> None:
    view = control.create(NOBODY, wanted())

    assert (names(control, ADA), names(control, BEN)) == (["Falls"], [])
    control.delete(ADA, view.view_id)


def test_key_keeps_a_bounded_number_of_views(control: ViewControl) -> None:
    for number in range(VIEWS_MAX):
        control.create(ANN, wanted(f"{number}"))

    with pytest.raises(TooManyViews, match="100 views"):
        control.create(ANN, wanted())
    assert control.create(BEN, wanted()).owner == BEN.key_id


def test_own_views_go_with_their_key_and_shared_ones_stay(control: ViewControl) -> None:
    key_id = KeyStore(control.database).create("Eve", "viewer").split("_")[1]
    for who in (ANN, Principal(key_id, "Eve", "viewer"), NOBODY):
        control.create(who, wanted(f"own of {who.name}"))
    control.create(ANN, wanted("shared", shared=True))

    gone = control.sweep()

    assert (gone, names(control, ADA)) == (1, ["own of anyone on this machine", "shared"])


def test_view_is_kept_as_it_was_sent(service: Running) -> None:
    http = service.http
    body = {"name": "  Nights  ", "query": {"day": "2026-05-04", "stream": "hall"}, "shared": True}
    made = http.post("/v1/views", json=body)
    view_id = made.json()["view_id"]

    changed = http.patch(f"/v1/views/{view_id}", json={"query": {"action": "lie"}}).json()
    listed = http.get("/v1/views").json()["items"]
    gone = [http.delete(f"/v1/views/{view_id}").status_code for _ in range(2)]

    assert (made.status_code, made.json()["name"], changed["query"]) == (201, "Nights", {"action": "lie"})
    assert changed in listed
    assert gone == [204, 404]


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x"}, {"name": " ", "query": {}}, {"name": "x", "query": {"day": 4}},
        {"name": "x", "query": {"A B": "c"}}, {"name": "x", "query": dict.fromkeys(map("x".__mul__, range(1, 32)), "")},
        {"name": "x", "query": {"day": "x" * 257}}, {"name": "x", "query": {}, "page": "setup"},
        {"name": "x", "query": {}, "owner": "y"},
    ],
)  # fmt: skip
def test_view_is_refused_for_what_a_page_does_not_hold(service: Running, body: dict[str, object]) -> None:
    found: httpx.Response = service.http.post("/v1/views", json=body)

    assert (found.status_code, found.json()["code"]) == (422, "invalid_request")
