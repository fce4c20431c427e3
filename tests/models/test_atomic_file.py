"""A file appears whole or not at all, and leaves nothing beside it."""

import os
import stat
from pathlib import Path

import pytest

from models.atomic_file import AtomicFile, remove_parts, replacing


def test_file_appears_whole_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    path.write_text("old")

    with replacing(path) as part:
        part.write_text("new")
        meanwhile = path.read_text()

    assert (meanwhile, path.read_text()) == ("old", "new")
    assert list(tmp_path.iterdir()) == [path]


def test_older_file_stays_and_nothing_is_left_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    path.write_text("old")

    with pytest.raises(IsADirectoryError), replacing(path) as part:
        (part.write_text("half"), tmp_path.write_text("no file"))

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_part_lies_beside_its_place_under_a_hidden_name_of_its_own(tmp_path: Path) -> None:
    files = [AtomicFile(tmp_path / ("long name " * 20 + ".jsonl")) for _ in range(2)]

    parts = [file.open() for file in files]
    for file in files:
        file.abort()

    assert {part.parent for part in parts} == {tmp_path}
    assert len(set(parts)) == 2
    assert all(part.name.startswith(".long name") and part.suffix == ".part" for part in parts)


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_file_has_the_mode_that_any_new_file_has(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        with replacing(tmp_path / "a") as part:
            part.write_bytes(b"")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~mask


def test_file_may_be_committed_and_aborted_twice(tmp_path: Path) -> None:
    file = AtomicFile(tmp_path / "a", is_synced=True)
    file.open().write_text("whole")

    file.commit()
    file.commit()
    file.abort()

    assert (tmp_path / "a").read_text() == "whole"


def test_folder_that_is_missing_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "none" / "a"):
        raise AssertionError("nothing to write to")


def test_half_written_files_of_a_process_that_was_killed_are_removed(tmp_path: Path) -> None:
    AtomicFile(tmp_path / "video.mp4").open().write_bytes(b"half")
    (tmp_path / "source.mp4").write_bytes(b"whole")

    remove_parts(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["source.mp4"]
