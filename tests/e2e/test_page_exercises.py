"""Below a video: how often an exercise was done, with the curve it was counted from."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Stage
from tests.e2e.stick_figures import Act

pytestmark = pytest.mark.e2e
OpenTab = Callable[..., Page]


@pytest.mark.parametrize("width", [390, 1440])
def test_exercise_is_counted_with_its_curve(
    stage: Stage, open_tab: OpenTab, keep_picture: Callable[[Page], None], width: int
) -> None:
    job_id = stage.state.add_job("squats.mp4", [Act(1, "stand", 0, 6), Act(2, "walk", 0, 6)])
    tab = open_tab(f"{stage.url}/#/videos/{job_id}", width=width)
    tab.get_by_text("Exercises", exact=True).click()

    first = tab.get_by_role("figure").filter(has_text="Person 1")

    expect(first).to_contain_text("Person 1 3 times")
    expect(first.get_by_role("img", name="Curve with 3 repetitions")).to_be_visible()
    expect(tab.get_by_text("cannot be judged: the joints it needs were not seen for long enough")).to_be_visible()
    assert not tab.evaluate("document.documentElement.scrollWidth > innerWidth")
    first.get_by_role("button", name="2: 0:03.0").click()
    expect(tab.locator("video")).to_have_js_property("currentTime", 3)
    tab.get_by_label("Curve", exact=True).select_option("Angle of the left knee")
    expect(first.get_by_role("img", name="Curve with 3 repetitions")).to_be_visible()
    keep_picture(tab)
    tab.get_by_label("Curve", exact=True).select_option("Angle of the right knee")
    expect(first.get_by_role("img")).to_have_count(0)
