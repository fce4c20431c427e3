"""A client in Python, generated from the OpenAPI document, in use: `client.py URL VIDEO`, the client beside it."""

import json
import sys
import time
from pathlib import Path

from made import Client
from made.api.catalog import list_models
from made.api.jobs import create_job, get_job, get_results, get_timeline, list_jobs
from made.api.streams import create_stream, delete_stream, get_stream
from made.api.webhooks import create_webhook
from made.models import (
    Analysis,
    JobCreate,
    JobRead,
    JobSource,
    Problem,
    Source,
    StreamCreate,
    StreamRead,
    Timeline,
    VideoUpload,
    WebhookCreate,
)
from made.types import File


def main(url: str, video: Path) -> dict[str, object]:
    """Upload, wait, read the labels; add a camera and a webhook; be refused."""
    with Client(base_url=url, timeout=20) as client, video.open("rb") as file:
        job = create_job.sync(client=client, body=VideoUpload(file=File(payload=file, file_name="clip.mp4")))
        assert isinstance(job, JobRead), job
        while job.state in ("queued", "running"):
            time.sleep(0.05)
            found = get_job.sync(job.job_id, client=client)
            assert isinstance(found, JobRead), found
            job = found
        timeline = get_timeline.sync(job.job_id, client=client)
        assert isinstance(timeline, Timeline), timeline
        lines = get_results.sync(job.job_id, client=client)
        assert isinstance(lines, str)
        page = list_jobs.sync(client=client)
        refused = create_job.sync(client=client, body=JobCreate(source=JobSource(uri="ftp://host/clip.mp4")))
        assert isinstance(refused, Problem), refused
        stream = create_stream.sync(
            client=client, body=StreamCreate(name="Dock", source=Source(uri="push:"), analysis=Analysis(fps=5))
        )
        assert isinstance(stream, StreamRead), stream
        delete_stream.sync_detailed(stream.stream_id, client=client)
        gone = get_stream.sync(stream.stream_id, client=client)
        assert isinstance(gone, Problem), gone
        hook = create_webhook.sync(client=client, body=WebhookCreate(url="https://host.example/told"))
        models = list_models.sync(client=client)
        return {
            "state": str(job.state), "actions": [one.action for track in timeline.tracks for one in track.actions],
            "lines": len(lines.splitlines()), "jobs": len(page.items), "refused": refused.code, "gone": gone.code,
            "secret": hook.secret[:6], "models": len(models.items) > 0, "since": stream.state_since.tzinfo is not None,
        }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
