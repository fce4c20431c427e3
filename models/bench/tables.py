"""What the bench found, as values and as markdown."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NetworkRow:
    """One network; milliseconds per sample, at batch 1 and 8.

    macs:         multiply-adds of one sample, two persons.
    onnx_ms:      None where ONNX Runtime cannot use the device.
    matmul_share: of the device's matrix-multiply rate, measured beside it, that ONNX Runtime, or without it torch,
                  reaches at batch 1.
    empty_slot:   time of two samples with one person and an empty slot each, over the time of one sample with the same
                  two people, in ONNX Runtime; None where there are no slots.
    fp16_error:   largest difference between the float16 file's answer and the float32 network's, as a share of the
                  answer's scale; None where float32 was measured.
    """

    network: str
    parameters: int
    macs: int
    torch_ms: tuple[float, float]
    onnx_ms: tuple[float, float] | None
    matmul_share: float
    empty_slot: float | None
    fp16_error: float | None = None

    @property
    def gain(self) -> tuple[float, float] | None:
        """How many times faster ONNX Runtime is."""
        if self.onnx_ms is None:
            return None
        return self.torch_ms[0] / self.onnx_ms[0], self.torch_ms[1] / self.onnx_ms[1]


@dataclass(frozen=True, slots=True)
class ContinualRow:
    """A window of 300 frames of one person (25 joints) against one more frame; both in ONNX Runtime, one track.

    macs, ms: of the whole window; of a step that answers after every frame; of a frame where answers come at the
              strides' pace.
    """

    network: str
    macs: tuple[int, int, int]
    ms: tuple[float, float, float]


def network_table(rows: Sequence[NetworkRow]) -> str:
    """Markdown, one network per row."""
    head = (
        "| network | parameters | multiply-adds | torch ms, batch 1 / 8 | ONNX Runtime ms | faster "
        "| of matmul rate | empty slot | float16 differs by |\n" + "|---" * 9 + "|"
    )
    return "\n".join([head, *map(network_line, rows)])


def continual_table(rows: Sequence[ContinualRow]) -> str:
    """Markdown, one network per row."""
    head = (
        "| network | window, multiply-adds | every frame | fewer | at the strides' pace | fewer "
        "| window ms | every frame ms | faster | at the strides' pace ms | faster |\n" + "|---" * 11 + "|"
    )
    return "\n".join([head, *map(continual_line, rows)])


def network_line(row: NetworkRow) -> str:
    """One row of the table."""
    cells = (
        row.network,
        f"{row.parameters / 1e6:.2f} M",
        f"{row.macs / 1e9:.2f} G",
        _milliseconds(row.torch_ms),
        "-" if row.onnx_ms is None else _milliseconds(row.onnx_ms),
        "-" if row.gain is None else f"{row.gain[0]:.2f} / {row.gain[1]:.2f}",
        f"{row.matmul_share:.0%}",
        "-" if row.empty_slot is None else f"{row.empty_slot:.2f}",
        "-" if row.fp16_error is None else f"{row.fp16_error:.1e}",
    )
    return f"| {' | '.join(cells)} |"


def continual_line(row: ContinualRow) -> str:
    """One row of the table."""
    window, every, paced = row.macs
    window_ms, every_ms, paced_ms = row.ms
    return (
        f"| {row.network} | {window / 1e9:.2f} G | {every / 1e6:.1f} M | {window / every:.0f} "
        f"| {paced / 1e6:.1f} M | {window / paced:.0f} | {window_ms:.0f} | {every_ms:.2f} | {window_ms / every_ms:.1f} "
        f"| {paced_ms:.2f} | {window_ms / paced_ms:.1f} |"
    )


def _milliseconds(pair: tuple[float, float]) -> str:
    """Whole ones, and on a GPU, where there are few, their fractions."""
    digits = 0 if min(pair) >= 10 else 2
    return f"{pair[0]:.{digits}f} / {pair[1]:.{digits}f}"
