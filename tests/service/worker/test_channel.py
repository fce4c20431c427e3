"""What a task says on its way to the supervisor: bounded, in order, and of pictures the newest alone."""

import multiprocessing
import threading
from collections import deque

import pytest

from service.protocol.messages import FromWorker, JobTask, StreamStatus, StreamTask, TaskEnded, decode
from service.protocol.pause_clock import PauseClock
from service.protocol.preview import PreviewPicture
from service.protocol.track_history import AskTrack
from service.worker.channel import Channel, MessageQueue


class Wire:
    """A queue that has not begun to send, and what comes out at the other end once it does."""

    def __init__(self) -> None:
        self._there, here = multiprocessing.Pipe()
        self.queue = MessageQueue(here)

    def sent(self, count: int) -> list[FromWorker]:
        sender = threading.Thread(target=self.queue.run, daemon=True)
        sender.start()
        found = [decode(self._there.recv_bytes()) for _ in range(count)]
        self.queue.close()
        sender.join(5)
        assert not self._there.poll(0), "more was sent"
        return found


def test_picture_gives_way_to_the_next_one_of_its_stream() -> None:
    wire = Wire()

    for number in range(100):
        wire.queue.offer(PreviewPicture("yard", 1, bytes([number])))
    wire.queue.offer(PreviewPicture("dock", 1, b"d"))

    assert wire.sent(2) == [PreviewPicture("yard", 1, bytes([99])), PreviewPicture("dock", 1, b"d")]


def test_pictures_go_after_everything_else() -> None:
    wire = Wire()
    wire.queue.offer(PreviewPicture("yard", 1, b"p"))
    wire.queue.offer(StreamStatus("yard", 1, {}))
    wire.queue.deliver(lambda delivery_id: TaskEnded(delivery_id, "yard", "succeeded"))

    sent = wire.sent(3)

    assert [message.type for message in sent] == ["task_ended", "stream_status", "preview_picture"]


def test_wish_for_pictures_ends_by_itself() -> None:
    now_s = [10.0]
    channel = Channel(StreamTask("yard", 1, "push:"), Wire().queue, deque(), PauseClock(1.0, lambda: now_s[0]))
    looked_at = [channel.is_looked_at]

    channel.show(5.0)
    for now_s[0] in (14.9, 15.1):
        looked_at.append(channel.is_looked_at)

    assert looked_at == [False, True, False]


def test_questions_are_taken_once_and_the_oldest_of_too_many_is_dropped() -> None:
    channel = Channel(StreamTask("yard", 1, "push:"), Wire().queue, deque(), PauseClock(1.0))
    for number in range(20):
        channel.ask(AskTrack("yard", f"q{number}", number))

    taken = [question.track_id for question in channel.take_questions()]

    assert taken == list(range(4, 20))
    assert channel.take_questions() == []


def test_task_is_no_older_after_its_process_was_held_still() -> None:
    now_s = [0.0]
    clock = PauseClock(1.0, lambda: now_s[0])
    ours, _ = multiprocessing.Pipe()
    channel = Channel(JobTask("job_1", 1, "", ""), MessageQueue(ours), deque(), clock)

    for moment_s in (1.0, 2.0, 182.0):
        now_s[0] = moment_s
        clock.tick()

    assert channel.age_s == pytest.approx(3.0)


def test_task_that_hangs_in_a_process_that_runs_grows_older() -> None:
    now_s = [0.0]
    clock = PauseClock(1.0, lambda: now_s[0])
    ours, _ = multiprocessing.Pipe()
    channel = Channel(JobTask("job_1", 1, "", ""), MessageQueue(ours), deque(), clock)

    for second in range(1, 181):
        now_s[0] = float(second)
        clock.tick()

    assert channel.age_s == pytest.approx(180.0)
