"""Opens a network in the engine that its device names; `auto` measures both, and remembers which was faster."""

import hashlib
import json
import logging
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from models.arrays import AnyArray
from models.atomic_file import AtomicFile
from models.errors import ModelError
from models.runtime.engines import onnx_runtime, openvino
from models.runtime.engines.onnx_runtime import OnnxRuntimeNetwork
from models.runtime.engines.openvino import OpenVinoNetwork
from models.runtime.engines.types import EngineNetwork, Opening, TensorSpec

logger = logging.getLogger(__name__)

_GAIN = 0.95
"""OpenVINO must take at most this share of onnxruntime's time: less is not worth other last digits."""
_ROUNDS = 7
_FREE_SIDE = 320
_REMEMBERED = "choice.json"
_DTYPES = {
    "tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int64)": np.int64, "tensor(bool)": np.bool_,
}  # fmt: skip

Clock = Callable[[], float]


def open_network(opening: Opening, clock: Clock = time.perf_counter) -> EngineNetwork:
    """The network, ready to run. Raises ContractMismatch, DeviceUnavailable."""
    match opening.device.engine:
        case "openvino":
            return OpenVinoNetwork(opening)
        case "auto" if platform.machine() in ("x86_64", "AMD64") and openvino.is_installed():
            return _faster(opening, clock)
    return OnnxRuntimeNetwork(opening)


def _faster(opening: Opening, clock: Clock) -> EngineNetwork:
    """Whichever was faster here, now or when it was last measured; onnxruntime where OpenVINO cannot run it."""
    reference = OnnxRuntimeNetwork(opening)
    memory = _Remembered(opening)
    known = memory.engine
    if known == onnx_runtime.NAME:
        return reference
    try:
        other = OpenVinoNetwork(opening)
        if known is None:
            ratio = measure_ratio(reference, other, sample_feeds(reference.inputs), clock)
            known = openvino.NAME if ratio <= _GAIN else onnx_runtime.NAME
            logger.info("%s: OpenVINO takes %.2f of onnxruntime's time, using %s", opening.path.name, ratio, known)
            memory.keep(known, ratio)
    except ModelError as error:
        logger.warning("%s: OpenVINO cannot run it, using onnxruntime: %s", opening.path.name, error)
        return reference
    return other if known == openvino.NAME else reference


def measure_ratio(
    reference: EngineNetwork, other: EngineNetwork, feeds: Mapping[str, AnyArray], clock: Clock = time.perf_counter
) -> float:
    """The other's time over the reference's: median over pairs in alternation, after one of each to get warm."""
    for network in (reference, other):
        network.run(feeds)
    ratios = []
    for _ in range(_ROUNDS):
        began_s = clock()
        reference.run(feeds)
        between_s = clock()
        other.run(feeds)
        ratios.append((clock() - between_s) / max(between_s - began_s, 1e-9))
    return statistics.median(ratios)


def sample_feeds(inputs: tuple[TensorSpec, ...]) -> dict[str, AnyArray]:
    """One row of zeros per input; further sizes that vary are those of a small picture."""
    return {
        spec.name: np.zeros(
            [1, *(size if isinstance(size, int) else _FREE_SIDE for size in spec.shape[1:])],
            _DTYPES.get(spec.dtype, np.float32),
        )
        for spec in inputs
    }


class _Remembered:
    """What was measured for one network on this machine with these engines, in the folder of compiled networks."""

    def __init__(self, opening: Opening) -> None:
        folder = opening.device.engines
        self._path = Path(folder) / _REMEMBERED if folder else None
        content = opening.graph or opening.path.read_bytes()
        said = [hashlib.sha256(content).hexdigest(), processor_name(), str(opening.threads), *_versions()]
        self._key = " ".join(said)

    @property
    def engine(self) -> str | None:
        """The faster engine; None where it was not measured."""
        found = self._read().get(self._key, {}).get("engine")
        return found if found in (onnx_runtime.NAME, openvino.NAME) else None

    def keep(self, engine: str, ratio: float) -> None:
        """Remember a measurement; a folder that cannot be written to means that the next start measures again."""
        if self._path is None:
            return
        text = json.dumps({**self._read(), self._key: {"engine": engine, "ratio": round(ratio, 3)}}, indent=1)
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = AtomicFile(self._path)
            try:
                file.open().write_text(text, "utf-8")
                file.commit()
            finally:
                file.abort()

    def _read(self) -> dict[str, dict[str, str | float]]:
        try:
            found = json.loads(self._path.read_text("utf-8")) if self._path else {}
        except (OSError, ValueError):
            return {}
        is_ours = isinstance(found, dict) and all(isinstance(one, dict) for one in found.values())
        return found if is_ours else {}


def processor_name() -> str:
    """What the processor of this machine is called."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _versions() -> list[str]:
    found = []
    for package in ("onnxruntime", "openvino"):
        try:
            found.append(f"{package}-{version(package)}")
        except PackageNotFoundError:
            found.append(f"{package}-?")
    return found
