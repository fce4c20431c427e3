"""The service with scripted workers, for work on the page: `python -m tests.service.fake_server PORT`.

A "video" is a text file such as `script frames 200 pause 0.05 ok`.
"""

import sys
import tempfile
from pathlib import Path

import uvicorn

from service.app import create_app
from service.settings import load_settings
from tests.fakes import build_scripted_bench

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        app = create_app(load_settings(home=Path(home)), build_scripted_bench)
        uvicorn.run(app, port=int(sys.argv[1]), timeout_graceful_shutdown=2)
