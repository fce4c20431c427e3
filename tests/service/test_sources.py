"""The policies that the settings give."""

import pytest

from pipelines.errors import ConfigInvalid, SourceForbidden
from service.settings import load_settings
from service.sources import camera_policy, job_policy


def test_jobs_may_name_nothing_by_default() -> None:
    with pytest.raises(SourceForbidden, match=r"allowed: none \(ACTOGRAM_SOURCE_SCHEMES\)"):
        job_policy(load_settings()).require("https://example.org/a.mp4")


def test_jobs_and_cameras_have_networks_of_their_own() -> None:
    settings = load_settings(source_schemes="https", source_networks="public", stream_networks="loopback")

    assert camera_policy(settings).require_addresses("127.0.0.1", 554) == ("127.0.0.1",)
    with pytest.raises(SourceForbidden, match="ACTOGRAM_SOURCE_NETWORKS"):
        job_policy(settings).require_addresses("127.0.0.1", 443)


@pytest.mark.parametrize("name", ["source_schemes", "stream_schemes"])
def test_settings_refuse_a_scheme_that_is_not_in_the_table(name: str) -> None:
    with pytest.raises(ConfigInvalid, match="gopher: not among file, http, https"):
        load_settings(**{name: "http,gopher"})
