"""Writes random passwords for the compose profiles into .env, where it has none yet: `make secrets`."""

import secrets
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from env_file import change, read

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("POSTGRES_PASSWORD", "MQTT_PASSWORD", "GRAFANA_PASSWORD", "STORE_PASSWORD", "CLUSTER_SECRET_KEY")
_BYTES = 24


def main(folder: Path = ROOT) -> int:
    """Make what is missing; what is set stays, and no password is printed."""
    path = folder / ".env"
    if not path.exists() and (folder / ".env.example").exists():
        shutil.copy(folder / ".env.example", path)
    known = read(path)
    made = {name: secrets.token_urlsafe(_BYTES) for name in NAMES if not known.get(name)}
    change(path, made)
    print(f"{path}: {'made ' + ', '.join(made) if made else 'every password is set already'}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
