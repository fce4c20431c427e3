"""Adds the demo cameras to a server that shares this container's data volume, once."""

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request

CAMERAS_MAX = 8


def main(server: str, camera_host: str, first_port: int) -> int:
    """Make a key for this purpose, then add one stream per demo camera that listens; 0 when they are there."""
    made = subprocess.run(
        ["actogram", "keys", "create", "--role", "operator", "--name", "demo-setup"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    key = made.stdout.split()[0]
    try:
        for index in range(CAMERAS_MAX):
            if not _listens(camera_host, first_port + index):
                break
            uri = f"rtsp://{camera_host}:{first_port + index}/live"
            _add(server, {"name": f"demo-{index + 1}", "source": {"uri": uri}}, key)
    finally:
        subprocess.run(["actogram", "keys", "revoke", key.split("_")[1]], check=True)
    return 0


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 2).close()
    except OSError:
        return False
    return True


def _add(server: str, body: dict[str, object], key: str) -> None:
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {key}",
        "Idempotency-Key": str(body["name"]),
    }
    request = urllib.request.Request(f"{server}/v1/streams", json.dumps(body).encode(), headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the compose file's own address
            print(f"demo camera: {json.load(answer)['stream_id']}")  # noqa: T201 - docker logs show it
    except urllib.error.HTTPError as error:
        print(f"{body['name']}: {error.code} {error.read().decode()}", file=sys.stderr)  # noqa: T201
        # A demo camera that somebody changed stays as it is; a full server is no reason to try again for ever.
        if error.code not in (409, 429):
            raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
