"""The whole product: a real clip through the page, and a camera of the browser, end with labels on the picture."""

from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest
from playwright.sync_api import Page, Playwright, expect

from tests.e2e.conftest import ARGS, CHROMIUM
from tests.e2e.product import running_product

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
OpenTab = Callable[..., Page]
CLIP = "upfall_a1_t1_c1.mp4"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, weights_dir: Path) -> Iterator[str]:
    """The address of the running product."""
    with running_product(tmp_path_factory.mktemp("home"), weights_dir) as url:
        yield url


def test_video_dropped_on_the_page_ends_with_labels_on_the_picture(
    product: str, open_tab: OpenTab, data_dir: Path, keep_picture: Callable[[Page], None]
) -> None:
    tab = open_tab(product)

    tab.get_by_label("Choose a video").set_input_files(data_dir / "video" / CLIP)
    row = tab.get_by_role("listitem").filter(has_text=CLIP)
    expect(row.get_by_text("Ready")).to_be_visible(timeout=120_000)
    tab.get_by_role("link", name=CLIP).click()
    expect(tab.locator(".player[data-frames='142']")).to_be_visible()
    tab.get_by_role("button", name="lie, person").click()

    overlay = tab.locator("canvas.overlay[data-labels='lie']")
    expect(overlay).to_be_visible()
    painted = overlay.evaluate(
        """c => c.getContext("2d").getImageData(0, 0, c.width, c.height).data
             .filter((value, at) => at % 4 === 3 && value > 0).length"""
    )
    assert painted > 2000
    expect(tab.get_by_role("list", name="In the picture now").get_by_role("button", name="Person 1")).to_contain_text(
        "lie"
    )
    expect(tab.locator("tr[data-action='fall']")).to_have_count(1)
    keep_picture(tab)


def test_file_that_is_no_video_fails_with_its_reason(product: str, open_tab: OpenTab, tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("no video at all\n" * 50)
    tab = open_tab(product)

    tab.get_by_label("Choose a video").set_input_files(tmp_path / "notes.mp4")

    expect(tab.get_by_role("main")).to_contain_text("Failed", timeout=60_000)
    expect(tab.get_by_role("main")).to_contain_text("notes.mp4")


def test_browser_camera_is_watched_live(
    product: str, data_dir: Path, tmp_path: Path, chromium_maker: Playwright, keep_picture: Callable[[Page], None]
) -> None:
    film = write_mjpeg(data_dir / "video" / "upfall_a7_t1_c2.mp4", tmp_path / "camera.mjpeg")
    browser = chromium_maker.chromium.launch(
        executable_path=str(CHROMIUM), args=[*ARGS, f"--use-file-for-fake-video-capture={film}"]
    )
    tab = browser.new_context(viewport={"width": 1440, "height": 900}, permissions=["camera"]).new_page()
    tab.goto(f"{product}/#/live")

    tab.get_by_role("button", name="Add a camera").first.click()
    tab.get_by_label("This device’s camera").check()
    tab.get_by_label("Name").fill("Laptop")
    tab.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()

    expect(tab.locator(".page-head .state")).to_have_text("Live", timeout=60_000)
    people = tab.get_by_role("list", name="In the picture now").get_by_role("button", name="Person")
    expect(people.first).to_be_visible(timeout=60_000)
    expect(tab.locator("canvas.overlay:not([data-people='0'])")).to_be_visible()
    keep_picture(tab)
    tab.get_by_role("button", name="Remove").click()
    tab.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(tab.get_by_role("heading", name="No camera yet")).to_be_visible()
    browser.close()


def write_mjpeg(source: Path, path: Path) -> Path:
    """A clip in the form that Chromium's fake camera reads."""
    with av.open(str(source)) as clip, av.open(str(path), "w", format="mjpeg") as film:
        stream = film.add_stream("mjpeg", rate=18)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuvj420p"
        for frame in clip.decode(video=0):
            film.mux(stream.encode(frame.reformat(format="yuvj420p")))
        film.mux(stream.encode())
    return path
