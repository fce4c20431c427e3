"""The service with scripted workers, for work on the page: `python -m tests.service.fake_server [PORT]`.

A "video" is a text file such as `script frames 200 pause 0.05 ok`; home is ACTOGRAM_HOME.
"""

import logging
import sys
from functools import partial

from service.app import create_app
from service.commands.serve import run_server
from service.settings import load_settings
from service.supervision.local import LocalEngine
from service.worker.main import main
from tests.fakes import build_scripted_runners

if __name__ == "__main__":
    logging.basicConfig(level="INFO")
    application = create_app(load_settings(), LocalEngine(partial(main, build_scripted_runners, logging.INFO)))
    sys.exit(run_server(application, "127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0, "info"))
