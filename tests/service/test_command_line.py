"""The command `actogram` as a whole: help without torch, typos, completion."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from service.cli import main

ROOT = Path(__file__).resolve().parents[2]
# Everything that somebody can ask help of, in a process in which torch is not installed.
WALK = """
import json, sys
sys.modules["torch"] = None
import click
from click.testing import CliRunner
from pipelines.training.__main__ import main as training
from service.cli import main

def walk(command, path):
    context = click.Context(command)
    yield path
    for name in command.list_commands(context) if isinstance(command, click.Group) else ():
        yield from walk(command.get_command(context, name), [*path, name])

found = {}
for root in (main, training):
    for path in walk(root, []):
        told = CliRunner().invoke(root, [*path, "--help"], prog_name="actogram")
        found[" ".join(path)] = (told.exit_code, repr(told.exception), told.output)
print(json.dumps(found), file=sys.stderr)
"""
HAND_OVER = (
    "prepare",
    "dataset",
    "train",
    "evaluate",
    "export",
    "compare",
    "visualize",
    "pretrain",
    "recipes",
    "examine",
)


def _without_torch(folder: Path) -> dict[str, str]:
    """The environment of a process that cannot import torch, nor can those that it starts."""
    (folder / "sitecustomize.py").write_text("import sys\nsys.modules['torch'] = None\n")
    return {**os.environ, "PYTHONPATH": f"{folder}:{ROOT}"}


@pytest.mark.slow
def test_help_of_every_command_needs_no_torch(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", WALK], env=_without_torch(tmp_path), cwd=tmp_path, capture_output=True, text=True,
        timeout=240, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr[-4000:]
    found = json.loads(told.stderr.splitlines()[-1])

    assert {"serve", "models pull", "train", "dataset", "visualize skeleton"} <= set(found)
    assert {path: one for path, one in found.items() if one[0] != 0} == {}
    in_process = {path: one[2] for path, one in found.items() if one[2]}
    assert all(text.startswith("Usage: actogram") for text in in_process.values())
    # Their help is printed by processes of their own.
    assert told.stdout.count("Usage: actogram") == len(HAND_OVER) + len(("models import", "bench nets"))


@pytest.mark.parametrize("command", ["train", "evaluate", "recipes", "models import", "bench nets"])
def test_command_that_needs_torch_says_what_works(command: str, tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", "from service.cli import main; main()", *command.split()],
        env=_without_torch(tmp_path), cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert told.returncode == 1
    assert told.stderr.startswith(f"actogram: torch_missing: {command} needs torch; in the folder of the source: pip")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("srve", "'serve'"),
        ("trian", "'train'"),
        ("model", "'models'"),
        ("analyse", "'analyze'"),
        ("keys crate", "create"),
    ],
)
def test_typo_gets_a_suggestion(typed: str, meant: str) -> None:
    told = CliRunner().invoke(main, typed.split())

    assert told.exit_code == 2
    assert "Did you mean" in told.output
    assert meant in told.output


def test_word_that_is_like_no_command_gets_no_suggestion() -> None:
    told = CliRunner().invoke(main, ["zzzzzz"])

    assert told.exit_code == 2
    assert "Did you mean" not in told.output


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("actogram se", "serve"), ("actogram models pu", "pull"), ("actogram serve --ho", "--host"),
     ("actogram analyze x.mp4 --format j", "jsonl")],
)  # fmt: skip
def test_shell_completes_commands_options_and_choices(typed: str, offered: str) -> None:
    words = typed.split()
    environment = {"_ACTOGRAM_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}

    told = CliRunner().invoke(main, [], prog_name="actogram", env=environment)

    assert f"plain,{offered}" in told.output.splitlines()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_gets_a_script(shell: str) -> None:
    told = CliRunner().invoke(main, [], prog_name="actogram", env={"_ACTOGRAM_COMPLETE": f"{shell}_source"})

    assert "_ACTOGRAM_COMPLETE" in told.output
