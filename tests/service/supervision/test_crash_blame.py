"""One task that kills its worker is found among many, and only that one is blamed."""

import pytest

from service.supervision.crash_blame import CrashBlame


class _World:
    """One worker, some tasks, and one of them that kills it whenever it runs."""

    def __init__(self, num_tasks: int, killer: str | None) -> None:
        self.time_s = 0.0
        self.blame = CrashBlame(10.0, lambda: self.time_s)
        self.tasks = [f"cam-{index}" for index in range(num_tasks)]
        self.killer = killer
        self.running: list[str] = []
        self.blamed: list[str] = []
        self.crashes = 0

    def place_all(self) -> None:
        for task_id in self.tasks:
            if task_id not in self.running and self.blame.may_join(task_id, self.running):
                self.running.append(task_id)
                self.blame.begin(task_id)

    def step(self) -> None:
        self.place_all()
        self.time_s += 1.0
        if self.killer in self.running:
            self.crashes += 1
            culprit = self.blame.blame(self.running)
            self.blamed += [culprit] if culprit else []
            self.running = []
            if self.blamed.count(self.killer or "") == 2:
                self.killer = None
                self.tasks.remove(culprit or "")


@pytest.mark.parametrize("num_tasks", [1, 2, 3, 16])
def test_only_the_killer_is_blamed_and_all_others_run_again(num_tasks: int) -> None:
    killer = f"cam-{num_tasks // 2}"
    world = _World(num_tasks, killer)

    for _ in range(200):
        world.step()

    assert world.blamed == [killer, killer]
    assert sorted(world.running) == sorted(world.tasks)
    assert world.crashes <= 2 + num_tasks.bit_length()


def test_group_that_runs_long_enough_is_cleared() -> None:
    world = _World(4, None)
    world.place_all()
    first = world.blame.blame(world.running)
    world.running = []

    world.step()
    on_trial = list(world.running)
    world.time_s += 11
    world.step()

    assert first is None
    assert on_trial == ["cam-0", "cam-1"]
    assert sorted(world.running) == world.tasks


def test_task_that_ends_in_peace_is_no_suspect() -> None:
    blame = CrashBlame(10.0, lambda: 0.0)
    blame.blame(["a", "b"])

    blame.forget("a")

    assert blame.may_join("a", ["b"])
