"""Where people were: seconds of events in the cells of a grid, by the point where each person stood or lay."""

import sqlalchemy as sa

from service.insights.pieces import Wanted, conditions, events, floored, seconds_between

COLUMNS, ROWS = 32, 18
PICTURE_ASPECT = 16 / 9
"""Of the picture; events do not keep its size."""
LYING_ASPECT = 1.1
"""A box wider than this times its height counts with its middle instead of its lower edge, as in zones."""


def heat(connection: sa.Connection, wanted: Wanted) -> tuple[list[list[float]], int]:
    """Seconds in each cell, row by row from the top, and how many events they are made of.

    An event lies in one cell, that of its box when it last changed; one without a box in none.
    """
    whole = wanted.buckets[0]
    x1, y1, x2, y2 = (events.c.box[index].as_float() for index in range(4))
    is_lying = (x2 - x1) * PICTURE_ASPECT > LYING_ASPECT * (y2 - y1)
    column = _cell((x1 + x2) / 2, COLUMNS)
    row = _cell(sa.case((is_lying, (y1 + y2) / 2), else_=y2), ROWS)
    begins = sa.case((events.c.start_time < whole.start_time, whole.start_time), else_=events.c.start_time)
    ends = sa.case((events.c.end_time > whole.end_time, whole.end_time), else_=events.c.end_time)
    found = (
        sa.select(column.label("x"), row.label("y"), begins.label("begins"), ends.label("ends"))
        .where(
            events.c.stream_id.in_(wanted.streams), events.c.start_time < whole.end_time,
            events.c.end_time > whole.start_time, x1.is_not(None), *conditions(wanted),
        )
        .subquery("found")
    )  # fmt: skip
    seconds = sa.func.sum(seconds_between(found.c.ends, found.c.begins))
    query = sa.select(found.c.x, found.c.y, seconds, sa.func.count()).group_by(found.c.x, found.c.y)
    grid, count = [[0.0] * COLUMNS for _ in range(ROWS)], 0
    for x, y, lasted, many in connection.execute(query):
        grid[int(y)][int(x)] = float(lasted)
        count += int(many)
    return grid, count


def _cell(share: sa.ColumnElement[float], cells: int) -> sa.ColumnElement[int]:
    """The cell of a place, 0..1; whoever is cut by the picture's edge stands in the outermost."""
    last = (cells - 0.5) / cells
    inside = sa.case((share < 0, 0.0), (share > last, last), else_=share)
    # Down in both databases: SQLite has a floor only where it was built with one, and PostgreSQL rounds where it casts.
    return floored(inside * cells)
