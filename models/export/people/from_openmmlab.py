"""A checkpoint of mmpose or mmdet becomes a folder that Actogram serves: model.onnx and model.json.

Runs where `mmpose` and `mmdet` are installed, alone: `python from_openmmlab.py CONFIG CHECKPOINT -o DIR`. Top-down pose
networks with SimCC or heatmap heads, RTMO, RTMDet and YOLOX. A flip at test time, which a configuration may ask for, is
left out: it doubles the time. A checkpoint is a pickle, and opening it may run what it holds: open none that you do not
trust. One long file, because it has to be copied alone to wherever mmpose is installed.
"""

import argparse
import hashlib
import importlib.machinery
import importlib.util
import inspect
import json
import re
import sys
import tempfile
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

try:
    import torch
    from torch import Tensor, nn
except ImportError as error:
    raise SystemExit(f"export-mmpose: {sys.executable}: {error}; install torch mmpose mmdet there") from error

FORMAT = "actogram-people-1"
PERSON = "person"
TOLERANCE = 1e-3
_TIE = 1e-5
_OPSET = 16
_MAX_PROPOSALS = 300
_LAYOUTS = {17: "coco17", 26: "halpe26", 133: "wholebody133"}
_SIDED = ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_COCO = ["nose", *(f"{side}_{part}" for part in _SIDED for side in ("left", "right"))]


class ExportRefused(Exception):
    """Something about the files or this environment does not allow the export; the message says what."""


@dataclass(frozen=True)
class Request:
    """What to export, and what its contract says of names and licence."""

    config: Path
    checkpoint: Path
    folder: Path
    person: str = ""
    name: str = ""
    licence: str = ""


@dataclass(frozen=True)
class Exportable:
    """A network as it is exported.

    module: pictures (B, 3, H, W) normalised → the outputs. has_free_size: whether H and W may vary.
    facts: what the contract says of it beyond names, licence and hash.
    """

    module: nn.Module
    outputs: tuple[str, ...]
    facts: dict[str, Any]
    has_free_size: bool = False
    size_wh: tuple[int, int] = field(default=(0, 0))


def export_openmmlab(request: Request) -> Path:
    """Write the folder and return it. Raises ExportRefused before anything is written."""
    for path in (request.config, request.checkpoint):
        if not path.is_file():
            raise ExportRefused(f"{path}: no such file")
    config, network = _load(request)
    exportable = _exportable(config, network, request)
    exportable.module.eval()  # the tracer puts everything back into the mode that the outermost module was in
    with tempfile.TemporaryDirectory() as scratch:
        exported = Path(scratch) / "model.onnx"
        _export(exportable, exported)
        difference = _compare(exportable, exported)
        _write(request.folder, exported, _contract(request, exportable, exported))
    print(f"{request.folder}: equal to the network in torch within {difference:.1e}")  # noqa: T201 - a command
    return request.folder


class _StandIn(types.ModuleType):
    """In the place of a compiled module that is not here: importing from it works, calling what it holds does not."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def refuse(*_: Any, **__: Any) -> Any:
            raise ExportRefused(
                f"{self.__name__}.{name} is not compiled in this environment, and this network needs it"
            )

        return refuse


def prepare_imports() -> None:
    """Make mmpose and mmdet importable where compiled parts that no export needs are lacking.

    Those are mmcv's operators (`mmcv-lite`), the annotation reader xtcocotools, and torchvision's operators where they
    do not fit torch. Raises ExportRefused when the packages themselves are not here.
    """
    for name in ("mmcv._ext", "xtcocotools", "xtcocotools.coco", "xtcocotools.mask", "xtcocotools.cocoeval"):
        if not _is_here(name):
            stand_in = _StandIn(name)
            stand_in.__spec__ = importlib.machinery.ModuleSpec(name, None)
            sys.modules[name] = stand_in
    try:
        _import_torchvision()
        import mmpose.models  # noqa: F401
    except Exception as error:
        message = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ExportRefused(f"{sys.executable}: mmpose and mmdet cannot be imported: {message}") from error


def _is_here(name: str) -> bool:
    try:
        return name in sys.modules or importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _import_torchvision() -> None:
    """Import torchvision, also one whose compiled part does not fit this torch."""
    try:
        import torchvision
    except RuntimeError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library: Any = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        globals()["_library"] = library  # it lives as long as the process
        import torchvision  # noqa: F401


def _load(request: Request) -> tuple[Any, Any]:
    """The configuration and the network with its weights, ready for prediction."""
    prepare_imports()
    from mmengine.config import Config
    from mmengine.model import revert_sync_batchnorm
    from mmengine.registry import init_default_scope

    try:
        config = Config.fromfile(str(request.config))
        model = config.model
    except Exception as error:
        raise ExportRefused(f"{request.config.name}: cannot be read: {type(error).__name__}: {error}") from error
    scope = str(config.get("default_scope", "mmpose"))
    if scope not in ("mmpose", "mmdet"):
        raise ExportRefused(f"{request.config.name}: found a configuration of {scope}, expected mmpose or mmdet")
    init_default_scope(scope)
    network = _built(scope, model, request.config)
    _fill(network, request.checkpoint)
    return config, revert_sync_batchnorm(network).float().eval()


def _built(scope: str, model: Any, path: Path) -> Any:
    if scope == "mmpose":
        from mmpose.registry import MODELS
    else:
        from mmdet.registry import MODELS
    for part in _iter_parts(model):
        part.pop("init_cfg", None)  # it would download what the checkpoint replaces
    try:
        return MODELS.build(model)
    except Exception as error:
        raise ExportRefused(f"{path.name}: the network cannot be built: {type(error).__name__}: {error}") from error


def _iter_parts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from _iter_parts(part)


def _fill(network: nn.Module, checkpoint: Path) -> None:
    """Load the weights; raises ExportRefused for a file that is no checkpoint, or of another network."""
    try:
        loaded = torch.load(str(checkpoint), map_location="cpu", weights_only=False)
        state = loaded.get("state_dict", loaded)
        tensors = {key.removeprefix("module."): value for key, value in state.items() if isinstance(value, Tensor)}
    except Exception as error:
        raise ExportRefused(f"{checkpoint.name}: no checkpoint: {type(error).__name__}: {error}") from error
    wanted = network.state_dict()
    lacking = [key for key in wanted if key not in tensors and not key.endswith("num_batches_tracked")]
    wrong = [key for key in wanted if key in tensors and tensors[key].shape != wanted[key].shape]
    if lacking or wrong:
        first = (lacking + wrong)[0]
        found = f"of shape {tuple(tensors[first].shape)}" if first in tensors else "nothing"
        raise ExportRefused(
            f"{checkpoint.name}: not of this configuration's network: {len(lacking)} of {len(wanted)} tensors are "
            f"lacking, {len(wrong)} have another shape; {first}: found {found}, expected {tuple(wanted[first].shape)}"
        )
    network.load_state_dict(tensors, strict=False)


def _exportable(config: Any, network: Any, request: Request) -> Exportable:
    """The part of the network that is exported, by what kind it is."""
    kind, head = type(network).__name__, getattr(network, "head", None)
    if kind == "TopdownPoseEstimator" and head is not None:
        return _top_down(config, network)
    if kind == "BottomupPoseEstimator" and type(head).__name__ == "RTMOHead":
        return _one_stage(config, network)
    if kind in ("RTMDet", "YOLOX") and hasattr(network, "bbox_head"):
        return _detector(config, network, kind, request)
    found = f"{kind} with {type(head).__name__}" if head is not None else kind
    raise ExportRefused(
        f"{request.config.name}: found {found}, expected a top-down pose network, RTMO, RTMDet or YOLOX"
    )


class TopDown(nn.Module):
    """Crops → the head's own answer: two SimCC vectors, or heatmaps."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> Any:
        """(B, 3, H, W) → simcc_x and simcc_y, or heatmaps (B, V, h, w)."""
        return self.network.head.forward(self.network.extract_feat(crops))


def _top_down(config: Any, network: Any) -> Exportable:
    codec = _codec(config)
    module, size_wh = TopDown(network), (int(codec["input_size"][0]), int(codec["input_size"][1]))
    with torch.no_grad():
        answer = module(torch.zeros(1, 3, size_wh[1], size_wh[0]))
    num_joints = int((answer if isinstance(answer, Tensor) else answer[0]).shape[1])
    family, outputs, decode = _reading(codec)
    decode |= _cropping(config)
    facts: dict[str, Any] = {"task": "pose", "family": family, "layout": _layout(config, num_joints), "labels": []}
    facts |= {"input": _input(network, size_wh), "decode": decode}
    return Exportable(module, outputs, facts, size_wh=size_wh)


def _codec(config: Any) -> dict[str, Any]:
    decoder = config.model.head.get("decoder")
    if not isinstance(decoder, dict):
        raise ExportRefused("the head has no decoder of one stage; networks with several or none are not served")
    return dict(decoder)


def _reading(codec: dict[str, Any]) -> tuple[str, tuple[str, ...], dict[str, Any]]:
    """Family, names of the outputs and how they are read, as the codec of the training says."""
    kind = codec["type"]
    if kind == "SimCCLabel" and not codec.get("use_dark", False):
        return "simcc", ("simcc_x", "simcc_y"), {"split_ratio": float(codec.get("simcc_split_ratio", 2.0))}
    if kind == "MSRAHeatmap":
        method = "dark" if codec.get("unbiased", False) else "default"
        return "heatmap", ("heatmaps",), {"method": method, "blur_kernel": int(codec.get("blur_kernel_size", 11))}
    if kind == "UDPHeatmap" and codec.get("heatmap_type", "gaussian") == "gaussian":
        return "heatmap", ("heatmaps",), {"method": "dark", "blur_kernel": int(codec.get("blur_kernel_size", 11))}
    shown = {key: value for key, value in codec.items() if key in ("type", "use_dark", "heatmap_type")}
    raise ExportRefused(f"found the codec {shown}, expected SimCCLabel, MSRAHeatmap or UDPHeatmap of Gaussians")


def _cropping(config: Any) -> dict[str, Any]:
    """How crops are cut: how much wider than the box, and whether by UDP's corners."""
    steps = {str(step["type"]): step for step in _pipeline(config)}
    facts: dict[str, Any] = {}
    if steps.get("TopdownAffine", {}).get("use_udp", False):
        facts["udp"] = True
    padding = float(steps.get("GetBBoxCenterScale", {}).get("padding", 1.25))
    if padding != 1.25:
        facts["padding"] = padding
    return facts


def _pipeline(config: Any) -> list[dict[str, Any]]:
    dataset = (config.get("test_dataloader") or config.get("val_dataloader") or {}).get("dataset", {})
    return [step for step in dataset.get("pipeline", []) if "type" in step]


def _layout(config: Any, num_joints: int) -> str:
    """Our name of the joints; raises ExportRefused unless they begin with COCO's seventeen."""
    names = _joint_names(config)
    if num_joints not in _LAYOUTS or names[: len(_COCO)] != _COCO or len(names) != num_joints:
        raise ExportRefused(
            f"found {num_joints} joints ({', '.join(names[:6])} ...), expected those of COCO (17), Halpe (26) or "
            "COCO-WholeBody (133)"
        )
    return _LAYOUTS[num_joints]


def _joint_names(config: Any) -> list[str]:
    from mmpose.datasets.datasets.utils import parse_pose_metainfo
    from mmpose.registry import DATASETS

    dataset = (config.get("test_dataloader") or config.get("val_dataloader") or {}).get("dataset", {})
    meta = dataset.get("metainfo") or getattr(DATASETS.get(dataset.get("type", "")), "METAINFO", None)
    if not meta:
        raise ExportRefused("the configuration names no data set that says what the joints are")
    parsed = parse_pose_metainfo(dict(meta))
    return [str(parsed["keypoint_id2name"][index]) for index in range(int(parsed["num_keypoints"]))]


class OneStage(nn.Module):
    """RTMO without its suppression: pictures → the best proposals with their joints."""

    def __init__(self, network: Any, num_proposals: int = _MAX_PROPOSALS) -> None:
        super().__init__()
        self.network = network
        self.num_proposals = num_proposals

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) → dets (B, N, 5), corners in input pixels and score, and keypoints (B, N, V, 3)."""
        head = self.network.head
        scores, boxes, _, visibility, vectors = head.forward(self.network.extract_feat(pictures))
        points, strides = _grid(scores, head.featmap_strides, head.prior_generator)
        score = _rows(scores).sigmoid().max(dim=2).values
        corners = head.decode_bbox(_rows(boxes), points, strides)
        order = score.sort(dim=1, descending=True).indices[:, : self.num_proposals]
        everywhere = points.expand_as(corners[:, :, :2])
        rows = (score[:, :, None], corners, _rows(visibility).sigmoid(), _rows(vectors), everywhere)
        score, corners, visibility, vectors, points = (_picked(values, order) for values in rows)
        wide = (corners[:, :, 2:] - corners[:, :, :2]) * head.bbox_padding
        centre_scale = torch.cat([(corners[:, :, :2] + corners[:, :, 2:]) / 2, wide], dim=2)
        joints = head.dcc.forward_test(vectors.flatten(0, 1), centre_scale.flatten(0, 1), points.flatten(0, 1))
        joints = joints.reshape(visibility.shape[0], visibility.shape[1], visibility.shape[2], 2)
        return torch.cat([corners, score], dim=2), torch.cat([joints, visibility[:, :, :, None]], dim=3)


def _rows(levels: Any) -> Tensor:
    """Maps (B, C, h, w) of all levels → (B, places, C)."""
    return torch.cat([level.flatten(2).transpose(1, 2) for level in levels], dim=1)


def _picked(rows: Tensor, order: Tensor) -> Tensor:
    return torch.gather(rows, 1, order[:, :, None].expand(-1, -1, rows.shape[2]))


def _grid(levels: Any, strides: Any, generator: Any) -> tuple[Tensor, Tensor]:
    """Place of every row in input pixels, (places, 2), and its stride, (places,), from the maps' own shapes."""
    places, steps = [], []
    for level, stride in zip(levels, strides):  # noqa: B905 - older Pythons have no strict
        step = float(stride[0] if isinstance(stride, (tuple, list)) else stride)
        shift = (step - 1) / 2 if getattr(generator, "centralize_points", False) else step * float(generator.offset)
        x = torch.arange(level.shape[3]).float() * step + shift
        y = torch.arange(level.shape[2]).float() * step + shift
        rows, columns = torch.meshgrid(y, x, indexing="ij")
        places.append(torch.stack([columns.reshape(-1), rows.reshape(-1)], dim=1))
        steps.append(torch.zeros_like(columns.reshape(-1)) + step)
    return torch.cat(places), torch.cat(steps)


def _one_stage(config: Any, network: Any) -> Exportable:
    sizes = [step["input_size"] for step in _pipeline(config) if step["type"] == "BottomupResize"]
    if not sizes:
        raise ExportRefused("the configuration's pipeline has no BottomupResize that says the size of the input")
    size_wh = (int(sizes[0][0]), int(sizes[0][1]))
    facts: dict[str, Any] = {"task": "detect_pose", "family": "rtmo", "labels": [PERSON]}
    facts |= {"layout": _layout(config, int(network.head.num_keypoints)), "input": _input(network, size_wh)}
    facts["decode"] = {"centred": True, "iou_threshold": float(network.test_cfg.get("nms_thr", 0.65))}
    if hasattr(network.neck, "switch_to_deploy"):  # its encoder's positions become constants of this one size
        network.neck.switch_to_deploy({"input_size": (size_wh[1], size_wh[0])})
    return Exportable(OneStage(network), ("dets", "keypoints"), facts, size_wh=size_wh)


class RTMDet(nn.Module):
    """RTMDet without its suppression, people only."""

    def __init__(self, network: Any, person: int) -> None:
        super().__init__()
        self.network, self.person = network, person

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) → boxes (B, N, 4), corners in input pixels, and scores (B, N)."""
        head = self.network.bbox_head
        scores, distances = head.forward(self.network.extract_feat(pictures))[:2]
        points, _ = _grid(scores, head.prior_generator.strides, head.prior_generator)
        away = _rows(distances)
        return torch.cat([points - away[:, :, :2], points + away[:, :, 2:]], dim=2), _rows(scores).sigmoid()[
            :, :, self.person
        ]


class YOLOX(nn.Module):
    """YOLOX as its authors export it: the raw grid, scores between 0 and 1."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) → (B, N, 5 + K): centre and size relative to a cell, objectness, classes."""
        scores, boxes, objectness = self.network.bbox_head.forward(self.network.extract_feat(pictures))
        return torch.cat([_rows(boxes), _rows(objectness).sigmoid(), _rows(scores).sigmoid()], dim=2)


def _detector(config: Any, network: Any, kind: str, request: Request) -> Exportable:
    classes = _classes(config, int(network.bbox_head.num_classes), request.checkpoint)
    person = _person(classes, request.person)
    labels = [PERSON if index == person else name for index, name in enumerate(classes)]
    size_wh = _test_size(config)
    suppression = network.test_cfg.get("nms", {})
    facts: dict[str, Any] = {"task": "detect", "layout": "", "input": _input(network, size_wh)}
    facts["decode"] = {"iou_threshold": float(suppression.get("iou_threshold", 0.65))}
    if kind == "RTMDet":
        module: nn.Module = RTMDet(network, person)
        facts |= {"family": "rtmdet", "labels": [PERSON]}
        return Exportable(module, ("boxes", "scores"), facts, has_free_size=True, size_wh=size_wh)
    if tuple(int(_first(stride)) for stride in network.bbox_head.strides) != (8, 16, 32):
        raise ExportRefused(f"found YOLOX of strides {network.bbox_head.strides}, expected 8, 16 and 32")
    facts |= {"family": "yolox", "labels": labels}
    return Exportable(YOLOX(network), ("output",), facts, has_free_size=True, size_wh=size_wh)


def _first(stride: Any) -> Any:
    return stride[0] if isinstance(stride, (tuple, list)) else stride


def _classes(config: Any, num_classes: int, checkpoint: Path) -> list[str]:
    """The classes' names, from the checkpoint, the configuration or the kind of data set."""
    from mmdet.registry import DATASETS

    meta = torch.load(str(checkpoint), map_location="cpu", weights_only=False).get("meta", {})
    dataset = (config.get("test_dataloader") or {}).get("dataset", {})
    kind = DATASETS.get(dataset.get("type", "CocoDataset"))
    given = (meta.get("dataset_meta") or {}, dataset.get("metainfo") or {}, getattr(kind, "METAINFO", {}))
    for source in given:
        names = source.get("CLASSES") or source.get("classes") or ()
        if len(names) == num_classes:
            return [str(name) for name in names]
    return [PERSON] if num_classes == 1 else [str(index) for index in range(num_classes)]


def _person(classes: list[str], wanted: str) -> int:
    """The number of the class that is people."""
    if wanted and wanted not in classes:
        raise ExportRefused(f"found no class {wanted!r}, expected one of {_listed(classes)}")
    if wanted or PERSON in classes:
        return classes.index(wanted or PERSON)
    if len(classes) == 1:
        return 0
    raise ExportRefused(f"no class is called person; say which one is people with --person: {_listed(classes)}")


def _listed(names: list[str], most: int = 12) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def _test_size(config: Any) -> tuple[int, int]:
    sizes = [step["scale"] for step in _pipeline(config) if step["type"] == "Resize" and "scale" in step]
    if not sizes:
        raise ExportRefused("the configuration's test pipeline has no Resize that says the size of the input")
    return int(sizes[0][0]), int(sizes[0][1])


def _input(network: Any, size_wh: tuple[int, int]) -> dict[str, Any]:
    """How pictures are normalised, in the order of channels after the conversion."""
    given = network.data_preprocessor
    mean, std = getattr(given, "mean", None), getattr(given, "std", None)
    is_converted = bool(getattr(given, "_channel_conversion", False))
    return {
        "size_wh": list(size_wh),
        "colour": "rgb" if is_converted else "bgr",
        "mean": [0.0, 0.0, 0.0] if mean is None else [round(value, 4) for value in mean.flatten().tolist()],
        "std": [1.0, 1.0, 1.0] if std is None else [round(value, 4) for value in std.flatten().tolist()],
        "max_batch": 0,
    }


def _export(exportable: Exportable, path: Path) -> None:
    """Write the ONNX file with a free batch."""
    width, height = exportable.size_wh
    axes: dict[str, dict[int, str]] = {"input": {0: "batch"}, **{name: {0: "batch"} for name in exportable.outputs}}
    if exportable.has_free_size:
        axes["input"] |= {2: "height", 3: "width"}
        for name in exportable.outputs:
            axes[name][1] = "places"
    options: dict[str, Any] = {
        "opset_version": _OPSET,
        "input_names": ["input"],
        "output_names": list(exportable.outputs),
    }
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:
        options["dynamo"] = False
    try:
        with torch.no_grad():
            torch.onnx.export(
                exportable.module, (torch.rand(2, 3, height, width),), str(path), dynamic_axes=axes, **options
            )
    except Exception as error:
        raise ExportRefused(f"torch cannot export this network: {type(error).__name__}: {error}") from error
    _fix_shapes(exportable, path, axes)


def _fix_shapes(exportable: Exportable, path: Path, axes: dict[str, dict[int, str]]) -> None:
    """Write the numbers of joints, bins and cells into the file, where the tracer leaves names."""
    import onnx

    width, height = exportable.size_wh
    with torch.no_grad():
        answer = exportable.module(torch.zeros(1, 3, height, width))
    shapes = [tuple(value.shape) for value in ((answer,) if isinstance(answer, Tensor) else answer)]
    graph = onnx.load(str(path))
    for output, shape in zip(graph.graph.output, shapes):  # noqa: B905 - older Pythons have no strict
        for axis, (dimension, size) in enumerate(zip(output.type.tensor_type.shape.dim, shape)):  # noqa: B905
            if axis not in axes[output.name]:
                dimension.dim_value = int(size)
    onnx.save(graph, str(path))


def _compare(exportable: Exportable, path: Path) -> float:
    """The largest difference between torch and the file at another batch (and size), relative to values over 1."""
    import numpy as np
    import onnxruntime

    width, height = exportable.size_wh
    torch.manual_seed(0)
    pictures = torch.randn(3, 3, *((160, 224) if exportable.has_free_size else (height, width)))
    with torch.no_grad():
        answer = exportable.module(pictures)
    expected = [value.numpy() for value in ((answer,) if isinstance(answer, Tensor) else answer)]
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(list(exportable.outputs), {"input": pictures.numpy()})
    apart = [np.abs(a - b) / np.maximum(np.abs(b), 1) for a, b in zip(found, expected)]  # noqa: B905
    if exportable.outputs[0] == "dets":  # rows of nearly equal score may change places
        tied = _is_tied(expected[0][:, :, 4])
        apart = [apart[0][:, :, 4], *(value[~tied] for value in apart)]
    difference = max(float(value.max(initial=0.0)) for value in apart)
    if not difference <= TOLERANCE:
        raise ExportRefused(f"the exported file differs from torch by {difference:.1e}, more than {TOLERANCE}")
    return difference


def _is_tied(score: Any) -> Any:
    """Which rows (B, N) of scores that fall lie so close to a neighbour that their order may differ."""
    import numpy as np

    close, ends = -np.diff(score, axis=1) < _TIE, np.zeros((len(score), 1), bool)
    return np.concatenate([close, ends], axis=1) | np.concatenate([ends, close], axis=1)


def _contract(request: Request, exportable: Exportable, exported: Path) -> dict[str, Any]:
    import mmdet
    import mmpose

    checkpoint = f"{request.checkpoint.name} (sha256 {_sha256(request.checkpoint)})"
    made_with = f"mmpose {mmpose.__version__}, mmdet {mmdet.__version__}, torch {torch.__version__}"
    return {
        "format": FORMAT,
        "name": request.name or re.sub(r"[^A-Za-z0-9._-]+", "-", request.config.stem)[:128],
        **exportable.facts,
        "licence": request.licence or "not stated",
        "terms": "OpenMMLab's code is Apache-2.0; the checkpoint's licence, and its data sets', are for you to know.",
        "source": f"{request.config.name}, {checkpoint}, {made_with}",
        "sha256": _sha256(exported),
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write(folder: Path, network: Path, contract: dict[str, Any]) -> None:
    """The network first, then the contract that names it; each appears whole or not at all."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / ".model.part"
        part.write_bytes(network.read_bytes())
        part.replace(folder / "model.onnx")
        part.write_text(json.dumps(contract, indent=2) + "\n", encoding="utf-8")
        part.replace(folder / "model.json")
    except OSError as error:
        raise ExportRefused(f"{folder}: {error.strerror or error}") from error


def main(arguments: list[str] | None = None) -> int:
    """Read the command line, export, and say what was refused."""
    parser = argparse.ArgumentParser(prog="export-mmpose", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", type=Path, help="the configuration of mmpose or mmdet, a .py file")
    parser.add_argument("checkpoint", type=Path, help="its weights, a .pth file")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the folder to write")
    parser.add_argument("--person", default="", help="a detector's class that is people, where none is called person")
    parser.add_argument("--name", default="", help="the network's name [the configuration's]")
    parser.add_argument("--licence", default="", help="the licence of the weights, shown to whoever uses the network")
    given = parser.parse_args(arguments)
    request = Request(given.config, given.checkpoint, given.output, given.person, given.name, given.licence)
    try:
        export_openmmlab(request)
    except ExportRefused as error:
        print(f"export-mmpose: {error}", file=sys.stderr)  # noqa: T201 - a command
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
