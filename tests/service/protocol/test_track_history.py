"""A question about a person's last seconds: answered, or given up, and no file is left either way."""

import threading
from pathlib import Path

from service.protocol.track_history import answer_questions, ask, forget_questions


def test_question_is_answered_for_its_person_alone(tmp_path: Path) -> None:
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.01):
            answer_questions(tmp_path, lambda track_id: [f'{{"track_id": {track_id}}}'])

    worker = threading.Thread(target=work)
    worker.start()

    found = [ask(tmp_path, number, 5.0) for number in (3, 12)]
    over.set()
    worker.join(5)

    assert found == [['{"track_id": 3}'], ['{"track_id": 12}']]
    assert list(tmp_path.iterdir()) == []


def test_question_that_nobody_answers_is_taken_back(tmp_path: Path) -> None:
    assert ask(tmp_path, 1, 0.05) == []
    assert list(tmp_path.iterdir()) == []


def test_stream_without_a_folder_is_asked_nothing(tmp_path: Path) -> None:
    assert ask(tmp_path / "gone", 1, 5.0) == []
    answer_questions(tmp_path / "gone", lambda _: [])


def test_questions_of_a_server_that_was_killed_are_forgotten(tmp_path: Path) -> None:
    for name in ("track-1-ab.ask", "track-1-ab.jsonl", "latest.jpg"):
        (tmp_path / name).touch()

    forget_questions(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["latest.jpg"]


def test_strange_question_is_removed_unanswered(tmp_path: Path) -> None:
    (tmp_path / "track-x.ask").touch()

    answer_questions(tmp_path, lambda _: ["never"])

    assert list(tmp_path.iterdir()) == []
