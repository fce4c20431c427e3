"""Keys on the page over the real service: the first one closes it, each is shown once, the last admin's stays."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Stage
from tests.e2e.test_page_access import FAINT, NAMELESS
from tests.service.conftest import Serve, serve

pytestmark = pytest.mark.e2e
OpenTab = Callable[..., Page]
__all__ = ["serve"]  # the fixture


def add_key(tab: Page, name: str, role: str | None = None) -> str:
    """Add a key; gives its text."""
    tab.get_by_role("button", name="Add a key").click()
    form = tab.get_by_role("dialog")
    form.get_by_label("Name").fill(name)
    if role is not None:
        form.get_by_label("Role").select_option(role)
    form.get_by_role("button", name="Add").click()
    shown = tab.get_by_role("dialog", name=f"The key of {name}")
    text = shown.locator("code").inner_text()
    assert re.fullmatch(r"ak_[0-9a-f]{12}_[\w-]{43}", text)
    shown.get_by_role("button", name="Close").click()
    return text


@pytest.mark.parametrize("width", [390, 1440])
def test_keys_are_made_shown_once_and_revoked(
    serve: Serve, open_tab: OpenTab, keep_picture: Callable[[Page], None], width: int
) -> None:
    running = serve(is_ready=False)
    tab = open_tab(f"{running.url}/#/setup/keys", width=width)
    expect(tab.get_by_role("heading", name="No key yet")).to_be_visible()

    add_key(tab, "owner")
    expect(tab.get_by_text("You are owner, with the role admin.")).to_be_visible()
    guest = add_key(tab, "guest", "viewer")

    expect(tab.get_by_role("row")).to_have_count(3)
    assert guest not in tab.content()
    assert (tab.evaluate(NAMELESS), tab.evaluate(FAINT)) == ([], [])
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    keep_picture(tab)
    tab.get_by_role("button", name="Revoke: owner").click()
    tab.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(tab.get_by_role("alert")).to_contain_text("create another one first")
    tab.get_by_role("button", name="Revoke: guest").click()
    tab.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(tab.get_by_role("row")).to_have_count(2)
    answer = running.http.get("/v1/session", headers={"Authorization": f"Bearer {guest}"})
    assert answer.status_code == 401


def test_viewer_is_told_that_keys_are_an_admins(stage: Stage, open_tab: OpenTab) -> None:
    stage.state.role = "viewer"

    tab = open_tab(f"{stage.url}/#/setup/keys")

    expect(tab.get_by_text("Only an admin sees and changes keys.")).to_be_visible()
    expect(tab.get_by_role("button", name="Add a key")).to_have_count(0)
