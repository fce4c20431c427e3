"""Where to look for a body next: on a grid, and the same place again for as long as it will do.

A landmark network answers a crop that is moved by a tenth of a pixel with joints that move by ten times as much, and
the next crop is drawn from those. Followed as predicted, two runs that differ in the last bit drift apart for good; on
a grid they fall together again, and whoever rests is looked at in one and the same crop.
"""

import numpy as np

from models.arrays import FloatArray

_CENTRE_CELL = 1 / 24  # of a region's side
_SIDE_CELL = 0.1  # of the side
_ANGLE_CELL = float(np.pi / 18)
_HOLD = 0.65  # of a cell: so far the prediction may stray before the region follows
_ON_GRID = 0.02  # of a cell
_LEAD = 1.5  # of the predicted growth and turn


def settled(region: FloatArray, predicted: FloatArray) -> FloatArray:
    """The present region where it lies on the grid and the prediction stays close, else the nearest one of the grid.

    region, predicted: (4,) centre x, centre y, side in pixels, angle in radians; each holds or follows by itself.
    """
    if predicted[2] <= 0:
        return predicted
    now = _side_steps(float(region[2]))
    steps = _held(now, now + _LEAD * (_side_steps(float(predicted[2])) - now))
    cell = _cell_px(steps)
    x, y = (_held(float(region[axis]) / cell, float(predicted[axis]) / cell) for axis in (0, 1))
    now = float(region[3]) / _ANGLE_CELL
    return _region(x, y, steps, _held(now, now + _LEAD * _turn(region, predicted) / _ANGLE_CELL))


def on_grid(predicted: FloatArray) -> FloatArray:
    """The region of the grid that is nearest to a prediction (4,)."""
    if predicted[2] <= 0:
        return predicted
    steps = round(_side_steps(float(predicted[2])))
    x, y = (round(float(predicted[axis]) / _cell_px(steps)) for axis in (0, 1))
    return _region(x, y, steps, round(float(predicted[3]) / _ANGLE_CELL))


def _region(x: float, y: float, steps: float, turns: float) -> FloatArray:
    """The region at a place of the grid, counted in cells."""
    cell, angle = _cell_px(steps), turns * _ANGLE_CELL
    return np.array([x * cell, y * cell, cell / _CENTRE_CELL, (angle + np.pi) % (2 * np.pi) - np.pi], np.float32)


def _turn(region: FloatArray, predicted: FloatArray) -> float:
    return (float(predicted[3] - region[3]) + np.pi) % (2 * np.pi) - np.pi


def _side_steps(side: float) -> float:
    return float(np.log(max(side, 1.0)) / _SIDE_CELL)


def _cell_px(steps: float) -> float:
    return float(np.exp(steps * _SIDE_CELL)) * _CENTRE_CELL


def _held(present: float, predicted: float) -> float:
    """A whole number of cells: the present one while it is one and the prediction is near, else the nearest."""
    step = round(present)
    is_on_grid = abs(present - step) < _ON_GRID
    return float(step if is_on_grid and abs(predicted - step) < _HOLD else round(predicted))
