"""The tasks of one worker: counted by kind, and an old end never takes a new placement away."""

from service.protocol.messages import JobTask, StreamTask
from service.supervision.task_table import TaskTable

YARD = StreamTask("yard", 1, "rtsp://camera")


def test_free_slots_are_counted_per_kind() -> None:
    table = TaskTable({"stream": 2, "job": 1})

    table.add(YARD)
    table.add(JobTask("job_1", 1, "", ""))

    assert [table.free_slots(kind) for kind in ("stream", "job", "other")] == [1, 0, 0]
    assert table.counts() == {"stream": 1, "job": 1}


def test_end_of_a_task_leaves_the_one_that_was_placed_since() -> None:
    table = TaskTable({"stream": 2})
    again = StreamTask("yard", 2, "rtsp://camera")
    table.add(YARD)
    table.add(again)

    table.remove("yard", YARD)

    assert table.get("yard") is again


def test_tasks_of_a_lost_worker_are_handed_back_once() -> None:
    table = TaskTable({"stream": 2})
    table.add(YARD)

    assert (table.clear(), table.clear()) == ([YARD], [])


def test_new_process_numbers_its_messages_anew() -> None:
    table = TaskTable({})
    table.settle(1)
    was_settled = table.is_settled(1)

    table.forget_settled()

    assert (was_settled, table.is_settled(1)) == (True, False)
