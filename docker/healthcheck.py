"""Asks the server in this container whether it and its workers are well; exit status 0 when they are."""

import os
import sys
import urllib.error
import urllib.request


def main() -> int:
    """0 when /healthz answers 200, else 1 with one line of why."""
    port = os.environ.get("ACTOGRAM_LISTEN_PORT", "8000")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/healthz", timeout=4) as answer:
            return 0 if answer.status == 200 else 1
    except (urllib.error.URLError, OSError) as error:
        print(f"not healthy: {error}", file=sys.stderr)  # noqa: T201 - docker inspect shows it
        return 1


if __name__ == "__main__":
    sys.exit(main())
