"""What was installed: the version, weights and models, onnxruntime with its devices, the processor, the codecs."""

import importlib.metadata
import os
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path

from models.errors import ModelError
from service.doctor.findings import Finding, State, one_line
from service.settings import Settings

_PACKAGES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino")
_MUST_DECODE, _SHOULD_DECODE = ("h264", "hevc", "mjpeg"), ("mpeg4", "vp8", "vp9", "av1")
_ENCODERS = ("libx264",)


def check_version() -> Iterator[Finding]:
    """Actogram, Python and the system."""
    where = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    try:
        version = importlib.metadata.version("actogram")
    except importlib.metadata.PackageNotFoundError:
        yield Finding("version", "ok", f"Actogram from its source, {where}")
        return
    yield Finding("version", "ok", f"Actogram {version}, {where}")


def check_weights(settings: Settings) -> Iterator[Finding]:
    """Whether the default networks are at hand, and whether what is at hand is whole. Nothing is fetched."""
    from models.weights.registry import load_registry
    from models.weights.store import WeightStore

    store = WeightStore(settings.cache, settings.weights, settings.offline)
    if settings.weights is not None and not settings.weights.is_dir():
        yield Finding("weights", "bad", f"ACTOGRAM_WEIGHTS: {settings.weights} is no folder", "name the right folder")
    registry = load_registry()
    wanted = dict(registry.require_profile("auto"))
    wanted.setdefault("action", tuple(spec for spec in registry if spec.task == "action")[:1])
    for task, specs in wanted.items():
        states = {spec.name: store.state(spec) for spec in specs}
        at_hand = [name for name, state in states.items() if state == "cached"]
        name = f"weights: {task}"
        if at_hand:
            best = next(iter(states))
            state: State = "ok" if at_hand[0] == best else "warn"
            advice = "" if state == "ok" else f"`actogram models pull {best}` fetches the better one"
            yield Finding(name, state, f"{at_hand[0]} is at hand", advice)
        elif "available" in states.values():
            first = next(iter(states))
            found = f"{first} is not at hand, or not whole; the first start fetches it"
            yield Finding(name, "warn", found, "`actogram models pull` fetches it now")
        else:
            found = f"none of {', '.join(states)} is at hand, and ACTOGRAM_OFFLINE forbids to fetch one"
            advice = "`actogram models pull` where there is a network, or name a folder with ACTOGRAM_WEIGHTS"
            yield Finding(name, "bad", found, advice)


def check_models(settings: Settings) -> Iterator[Finding]:
    """The user's own action models."""
    from models.runtime.contract import load_contract, verify_weights

    folder = settings.models_folder
    described = sorted(folder.glob("*/model.json")) if folder.is_dir() else []
    faults = []
    for path in described:
        try:
            contract = load_contract(path)
            if not contract.members:
                verify_weights(contract, path.with_name("model.onnx"))
        except (ModelError, OSError) as error:
            faults.append(one_line(f"{path.parent.name}: {error}"))
    for fault in faults:
        yield Finding("own models", "bad", fault, "import or export it again, or remove its folder")
    if not faults:
        yield Finding("own models", "ok", f"{len(described)} in {folder}" if described else "none")


def check_providers(settings: Settings) -> Iterator[Finding]:
    """onnxruntime, and the device that the settings name."""
    packages = [name for name in _PACKAGES if _is_installed(name)]
    if len(packages) > 1:
        advice = "uninstall all of them and install one: they overwrite each other's files"
        yield Finding("onnxruntime", "bad", f"{' and '.join(packages)} are installed together", advice)
    try:
        import onnxruntime
    except (ImportError, OSError) as error:
        advice = "install 'actogram[cpu]' or 'actogram[gpu]'; where the C library is not glibc there is no wheel of it"
        yield Finding("onnxruntime", "bad", one_line(f"cannot be loaded: {error}"), advice)
        return
    providers = ", ".join(onnxruntime.get_available_providers())
    yield Finding("onnxruntime", "ok", f"{onnxruntime.__version__} with {providers}; device {settings.device}")
    if settings.device.startswith("cuda"):
        yield from check_gpu()
    elif settings.engine_cpu != "onnxruntime":
        yield check_openvino(settings)


def check_openvino(settings: Settings) -> Finding:
    """Whether OpenVINO is there, and the processor knows the precision, where the settings want it."""
    from models.errors import DeviceUnavailable
    from models.runtime.engines import openvino

    name, wanted = "openvino", f"ACTOGRAM_ENGINE_CPU={settings.engine_cpu}"
    try:
        core = openvino.load()()
        openvino.require_precision(core, is_bf16=settings.engine_cpu == "openvino-bf16")
    except DeviceUnavailable as error:
        is_needed = settings.engine_cpu != "auto"
        advice = "install 'actogram[openvino]'" if not openvino.is_installed() else "choose openvino or onnxruntime"
        return Finding(name, "bad" if is_needed else "warn", one_line(f"{wanted}: {error}"), advice)
    return Finding(name, "ok", f"{openvino.version()}; {wanted}")


def check_gpu() -> Iterator[Finding]:
    """Driver, CUDA and cuDNN, where the settings name a GPU."""
    from models.runtime.gpu_libraries import find_gpu_libraries

    for one in find_gpu_libraries():
        yield Finding(f"gpu: {one.name}", "bad" if one.is_bad else "ok", one_line(one.found), one.advice)


def check_processor(settings: Settings, cpuinfo: Path = Path("/proc/cpuinfo")) -> Iterator[Finding]:
    """Cores for the workers, and what makes networks fast on them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    flags = _flags(cpuinfo)
    known = {
        "AVX2": {"avx2"}, "AVX-512": {"avx512f"}, "VNNI": {"avx512_vnni", "avx_vnni"}, "NEON": {"asimd", "neon"},
        "dot product": {"asimddp"},
    }  # fmt: skip
    fast = [name for name, names in known.items() if names & flags]
    found = f"{cores} core{'' if cores == 1 else 's'}, {', '.join(fast) or 'no vector units known'}"
    if flags and not {"AVX2", "NEON"} & set(fast):
        advice = "networks run several times slower than on a processor of the last ten years; in a virtual machine, "
        yield Finding("processor", "warn", found, advice + "pass the host's processor through")
    elif settings.workers > cores:
        advice = "set ACTOGRAM_WORKERS to the number of cores at most"
        yield Finding("processor", "warn", f"{found}; {settings.workers} workers", advice)
    else:
        yield Finding("processor", "ok", found)


def check_codecs() -> Iterator[Finding]:
    """What videos and cameras may be encoded in, and what annotated videos are."""
    try:
        import av
    except (ImportError, OSError) as error:
        yield Finding("codecs", "bad", one_line(f"PyAV cannot be loaded: {error}"), "install the package `av` again")
        return
    yield judge_codecs(
        {name for name in (*_MUST_DECODE, *_SHOULD_DECODE) if _has_codec(name, "r")},
        {name for name in _ENCODERS if _has_codec(name, "w")},
        f"PyAV {av.__version__}, FFmpeg {getattr(av, 'ffmpeg_version_info', 'unknown')}",
    )


def judge_codecs(decoders: set[str], encoders: set[str], version: str) -> Finding:
    """What is said of an FFmpeg that has these decoders and encoders."""
    missing = [name for name in _MUST_DECODE if name not in decoders]
    lesser = [name for name in _SHOULD_DECODE if name not in decoders]
    if missing:
        advice = "install PyAV from its wheel: an FFmpeg of the system's may lack codecs"
        return Finding("codecs", "bad", f"{version} cannot decode {', '.join(missing)}", advice)
    if lesser or not encoders:
        without = [*(f"decode {name}" for name in lesser), *([] if encoders else ["encode annotated videos (libx264)"])]
        return Finding("codecs", "warn", f"{version} cannot {', '.join(without)}", "install PyAV from its wheel")
    return Finding("codecs", "ok", f"{version}: {', '.join(sorted(decoders))}")


def _has_codec(name: str, mode: str) -> bool:
    from av.codec import Codec
    from av.codec.codec import UnknownCodecError

    try:
        Codec(name, "r" if mode == "r" else "w")
    except UnknownCodecError:
        return False
    return True


def _is_installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _flags(cpuinfo: Path) -> set[str]:
    """What the processor says that it has; empty where nothing says it."""
    try:
        lines: Sequence[str] = cpuinfo.read_text("utf-8", "replace").splitlines()
    except OSError:
        return set()
    found = (line.partition(":")[2].split() for line in lines if line.startswith(("flags", "Features")))
    return set(next(found, []))
