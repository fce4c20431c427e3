"""Writes the digests of the base images into docker/images.env and .env: `make pin-images`.

An image is asked for by its tag. What the engine has is taken; `--pull` fetches the tag's present image first.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from env_file import change, read

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "docker" / "images.env"
Run = Callable[[Sequence[str]], str]
"""Runs a command and returns what it prints; raises CalledProcessError, OSError."""


def main(arguments: Sequence[str], run: Run, path: Path = LIST, env: Path = ROOT / ".env") -> int:
    """Pin what has a digest; 1 when an image has none here, which is then left as it was."""
    pinned: dict[str, str] = {}
    missing: list[str] = []
    for name, image in read(path).items():
        tag = image.split("@")[0]
        digest = _digest(tag, run, is_pulled="--pull" in arguments)
        if digest is None:
            missing.append(tag)
        else:
            pinned[name] = f"{tag}@{digest}"
    _drop_reasons(path, set(pinned))
    change(path, pinned)
    path.chmod(0o644)
    change(env, pinned)
    for line in (*pinned.values(), *(f"{tag}: no digest; not pulled from a registry here (--pull)" for tag in missing)):
        print(line)  # noqa: T201 - what the command is for
    return 1 if missing else 0


def _digest(tag: str, run: Run, *, is_pulled: bool) -> str | None:
    """The digest of an image's index at its registry; None for one that was built or imported here."""
    try:
        if is_pulled:
            run(["docker", "pull", "--quiet", tag])
        found: list[str] = json.loads(run(["docker", "image", "inspect", "--format", "{{json .RepoDigests}}", tag]))
    except (subprocess.CalledProcessError, OSError):
        return None
    repository = tag.rsplit(":", 1)[0]
    names = {repository, f"library/{repository}"}
    known = (one.split("@") for one in found or [])
    # An engine may write the registry before the name.
    return next((digest for name, digest in known if name in names or name.endswith(f"/{repository}")), None)


def _drop_reasons(path: Path, pinned: set[str]) -> None:
    """Remove the reason above each name that has a digest now."""
    lines = path.read_text().splitlines()
    after = [line.split("=")[0] for line in lines[1:]] + [""]
    kept = [
        line for line, name in zip(lines, after, strict=True) if not (line.startswith("# unpinned") and name in pinned)
    ]
    path.write_text("\n".join(kept) + "\n")


def _run(command: Sequence[str]) -> str:
    return subprocess.run(list(command), check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], _run))
