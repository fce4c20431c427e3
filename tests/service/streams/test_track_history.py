"""A question about a person's last seconds is answered, or given up in time; nothing of it stays behind."""

import json
import threading
import time

from service.protocol.facts import TrackStarted
from service.protocol.messages import TaskCommand
from service.protocol.track_history import AskTrack, TrackHistory
from service.streams.track_history import TrackHistories
from tests.service.facts import T0
from tests.service.streams.conftest import Stage


class Oracle:
    """A worker that answers from a thread of its own, or never; `is_there` says whether it takes the question."""

    def __init__(self, *, is_there: bool = True, answers: bool = True) -> None:
        self.histories = TrackHistories(self._tell, timeout_s=0.3 if not answers else 10.0, questions_max=2)
        self.asked: list[AskTrack] = []
        self._is_there = is_there
        self._answers = answers

    def answer(self, question: AskTrack) -> None:
        line = f'{{"track_id": {question.track_id}}}'
        self.histories.take(TrackHistory(question.task_id, question.question_id, (line,)))

    def _tell(self, command: TaskCommand) -> bool:
        assert isinstance(command, AskTrack)
        self.asked.append(command)
        if self._answers:
            threading.Thread(target=self.answer, args=(command,)).start()
        return self._is_there


def test_question_is_answered_for_its_person_alone() -> None:
    oracle = Oracle()

    found = [oracle.histories.ask("yard", number) for number in (3, 12)]

    assert found == [('{"track_id": 3}',), ('{"track_id": 12}',)]


def test_stream_without_a_worker_is_not_waited_for() -> None:
    oracle = Oracle(is_there=False, answers=False)
    began_s = time.monotonic()

    found = oracle.histories.ask("yard", 1)

    assert found == ()
    assert time.monotonic() - began_s < 0.3


def test_question_that_nobody_answers_is_given_up_and_a_late_answer_dropped() -> None:
    oracle = Oracle(answers=False)

    found = oracle.histories.ask("yard", 1)
    oracle.answer(oracle.asked[0])

    assert found == ()


def test_answer_that_comes_twice_is_taken_once() -> None:
    oracle = Oracle()
    oracle.histories.ask("yard", 1)

    oracle.answer(oracle.asked[0])

    assert oracle.histories.ask("yard", 2) == ('{"track_id": 2}',)


def test_one_question_too_many_is_not_asked() -> None:
    oracle = Oracle(answers=False)
    waiting = [threading.Thread(target=oracle.histories.ask, args=("yard", number)) for number in (1, 2)]
    for thread in waiting:
        thread.start()
    while len(oracle.asked) < 2:
        time.sleep(0.001)

    found = oracle.histories.ask("yard", 3)
    for thread in waiting:
        thread.join(5)

    assert found == ()
    assert {question.track_id for question in oracle.asked} == {1, 2}


def test_keypoints_of_a_person_come_from_the_worker(stage: Stage) -> None:
    stream_id, puppet = stage.watch()
    line = {"media_time_s": 1.5, "frame_index": 22, "track_id": 1, "keypoints": [[0.5, 0.5, 1]]}
    puppet.remembered[1] = [json.dumps(line)]
    puppet.say(TrackStarted(1, T0))
    path = f"/v1/tracks/{stream_id}:1/keypoints"
    stage.until(lambda: stage.service.http.get(path).status_code == 200)

    points = stage.service.http.get(path)

    assert [json.loads(text) for text in points.text.splitlines()] == [line]
