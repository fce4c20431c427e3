from models.bench.budget import Budget


class _Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_budget_allows_until_its_time_is_used_and_names_what_it_left_out() -> None:
    clock = _Clock()
    budget = Budget(10, clock)

    is_first_allowed = budget.allows("first")
    clock.now_s = 10
    is_second_allowed = budget.allows("second")

    assert (is_first_allowed, is_second_allowed) == (True, False)
    assert budget.left_out == ("second: no time left",)


def test_budget_refuses_what_would_take_longer_than_is_left() -> None:
    budget = Budget(10, _Clock())

    assert budget.allows("short", needs_s=9)
    assert not budget.allows("long", needs_s=11)


def test_share_is_a_part_of_what_is_left() -> None:
    clock = _Clock()
    budget = Budget(10, clock)
    clock.now_s = 6

    assert budget.share(0.5).left_s == 2
    assert budget.left_s == 4
