"""The array types that every package speaks."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float32]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]
Image: TypeAlias = NDArray[np.uint8]
"""(H, W, 3) uint8, blue, green, red: OpenCV's order."""
AnyArray: TypeAlias = NDArray[Any]
