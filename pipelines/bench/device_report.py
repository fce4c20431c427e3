"""The report on a device as one JSON object and as tables in Markdown."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from pipelines.bench.device import DeviceReport
from pipelines.results import JsonObject


def report_object(report: DeviceReport) -> JsonObject:
    """Everything that was found; what could not be measured is null or empty, `left_out` says why."""
    torch = report.torch
    return {
        "device": report.device,
        "networks": list(report.networks),
        "providers": {name: list(found) for name, found in report.providers.items()},
        "ready_s": report.ready_s,
        "buckets": [asdict(row) | {"per_second": row.per_second} for row in report.buckets],
        "torch": None if torch is None else {
            "device": torch.device, "ceilings": torch.ceilings,
            "networks": [{key: value for key, value in row.items() if key != "kind"} for row in torch.networks],
        },
        "clips": [asdict(row) for row in report.clips],
        "cameras": [asdict(row) for row in report.cameras],
        "seconds": {part: round(seconds, 1) for part, seconds in report.seconds.items()},
        "left_out": {part: list(items) for part, items in report.left_out.items() if items},
    }  # fmt: skip


def tables(report: DeviceReport) -> str:
    """One table per part that found something, and what was left out."""
    parts = [_providers(report), _buckets(report), _ceilings(report), _torch(report), _clips(report), _cameras(report)]
    left_out = [f"- {item}" for items in report.left_out.values() for item in items]
    if left_out:
        parts.append("\n".join(["Left out:", "", *left_out]))
    return "\n\n".join(part for part in parts if part)


def _table(heads: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([f"| {' | '.join(heads)} |", "|---" * len(heads) + "|", *lines]) if lines else ""


def _providers(report: DeviceReport) -> str:
    rows = ((name, ", ".join(found)) for name, found in report.providers.items())
    return _table(["network", f"providers in use for {report.device}"], rows)


def _buckets(report: DeviceReport) -> str:
    rows = (
        (row.network, row.kind, str(row.batch), _number(row.call_ms, 2), _number(row.per_second, 0), row.why or "")
        for row in report.buckets
    )
    return _table(["network", "", "batch", "ms a call", "per second", ""], rows)


def _ceilings(report: DeviceReport) -> str:
    found = report.torch.ceilings if report.torch is not None else None
    if found is None:
        return ""
    rates, bytes_per_s = found["flop_per_s"], found["bytes_per_s"]
    assert isinstance(rates, dict)
    assert isinstance(bytes_per_s, float)
    products = ", ".join(f"{name} {rate / 1e12:.2f} TFLOP/s" for name, rate in rates.items())
    return f"Ceilings: products {products}; copy {bytes_per_s / 1e9:.0f} GB/s."


def _torch(report: DeviceReport) -> str:
    heads = [
        "network", "way", "precision", "batch", "samples/s", "of products", "of copy", "MiB", "s to prepare", "",
    ]  # fmt: skip
    return _table(heads, (_torch_row(row) for row in (report.torch.networks if report.torch else ())))


def _torch_row(row: JsonObject) -> tuple[str, ...]:
    memory = row["memory_bytes"]
    return (
        str(row["network"]),
        f"{row['mode']}{', channels last' if row['is_channels_last'] else ''}",
        str(row["precision"]),
        str(row["batch"]),
        _number(row["samples_per_s"], 0),
        _percent(row["compute_share"]),
        _percent(row["bandwidth_share"]),
        _number(memory / 2**20 if isinstance(memory, int) else None, 0),
        _number(row["prepare_s"], 1),
        str(row.get("why", "")),
    )


def _clips(report: DeviceReport) -> str:
    rows = (
        (
            row.clip, f"{row.frames}{', cut off' if row.is_cut else ''}", _number(row.frames_per_s, 1),
            _number(row.cpu_frames_per_s, 1), _yes(row.same_labels), _yes(row.same_events),
            "" if row.first is None else f"first differs at {row.first[0]:.2f} s: {row.first[1]}",
        )
        for row in report.clips
    )  # fmt: skip
    return _table(["clip", "frames", "frames/s", "on the CPU", "same labels", "same events", ""], rows)


def _cameras(report: DeviceReport) -> str:
    heads = [
        "cameras", "labels/s", "slowest camera", "age p50, ms", "p95", "p99", "dropped", "cores", "MiB",
        "interpreter late p95, ms", "GPU use", "GPU MiB", "",
    ]  # fmt: skip
    rows = (
        (
            str(row.cameras), _number(row.labels_per_s, 1), _number(row.lowest_per_s, 1),
            *(_number(row.label_age_ms[share], 0) for share in ("p50", "p95", "p99")), _percent(row.dropped),
            f"{row.cores:.1f}", f"{row.memory_bytes / 2**20:.0f}", _number(row.interpreter_wait_ms["p95"], 1),
            "-" if row.gpu_percent is None else f"{row.gpu_percent:.0f} %",
            "-" if row.gpu_bytes is None else f"{row.gpu_bytes / 2**20:.0f}",
            "; ".join(f"{count} x {text}" for text, count in row.errors.items()),
        )
        for row in report.cameras
    )  # fmt: skip
    return _table(heads, rows)


def _number(value: object, digits: int) -> str:
    return f"{value:.{digits}f}" if isinstance(value, int | float) else "-"


def _percent(value: object) -> str:
    return f"{100 * value:.1f} %" if isinstance(value, int | float) else "-"


def _yes(value: bool | None) -> str:
    return "-" if value is None else ("yes" if value else "no")
