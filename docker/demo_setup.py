"""Adds the demo cameras to a server that shares this container's data volume, once."""

import json
import subprocess
import sys
import urllib.error
import urllib.request

CAMERAS = 1


def main(server: str, camera: str) -> int:
    """Make a key for this purpose, then add one stream per demo camera; 0 when they are there."""
    key = subprocess.run(
        ["actogram", "keys", "create", "--role", "operator", "--name", "demo-setup"],
        check=True, capture_output=True, text=True,
    ).stdout.split()[-1]  # fmt: skip
    for index in range(CAMERAS):
        body = {"name": f"demo-{index + 1}", "source": {"uri": f"{camera}/{index + 1}", "transport": "tcp"}}
        _post(f"{server}/v1/streams", body, key, idempotency=f"demo-{index + 1}")
    return 0


def _post(url: str, body: dict[str, object], key: str, idempotency: str) -> None:
    request = urllib.request.Request(  # noqa: S310 - the address is the compose file's own
        url,
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {key}", "Idempotency-Key": idempotency},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            print(f"demo camera added: {json.load(answer)['name']}")  # noqa: T201
    except urllib.error.HTTPError as error:
        if error.code != 409:  # already there from an earlier start
            raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
