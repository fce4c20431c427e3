"""Runs in OpenMMLab's own environment: makes checkpoints with random weights that find something, and predicts.

`openmmlab_peer.py FOLDER JOB.json` with {"networks": {name: configuration}, "pictures": [..], "boxes": [[..]]} writes
per network NAME.py, NAME.pth and NAME.json, what mmpose or mmdet say of the pictures. Untrained networks find nothing:
their last layers are scaled by a real picture, so that there are peaks and people.
"""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "models" / "export" / "people"))

import from_openmmlab  # type: ignore[import-not-found]  # beside its package, as it is used

from_openmmlab.prepare_imports()

import cv2  # noqa: E402
import mmdet  # noqa: E402
import mmpose  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from mmengine.config import Config  # noqa: E402
from mmengine.dataset import Compose  # noqa: E402
from mmengine.model import revert_sync_batchnorm  # noqa: E402
from mmengine.registry import init_default_scope  # noqa: E402
from torch import nn  # noqa: E402

SCORE_FLOOR = 0.1
FEW = 0.01  # of the places of a picture
PARTS = {"mmpose": Path(mmpose.__file__).parent / ".mim", "mmdet": Path(mmdet.__file__).parent / ".mim"}


def work(folder: Path, job: dict[str, Any]) -> None:
    """Make and predict, network by network."""
    pictures = [cv2.imread(path) for path in job["pictures"]]
    for name, place in job["networks"].items():
        package, _, path = place.partition("/")
        config = Config.fromfile(str(PARTS[package] / path))
        config.dump(str(folder / f"{name}.py"))
        make(config, folder / f"{name}.pth", pictures[0])
        answer = predict(folder / f"{name}.py", folder / f"{name}.pth", pictures, np.array(job["boxes"], np.float32))
        (folder / f"{name}.json").write_text(json.dumps(answer))
        print(name, flush=True)


def make(config: Any, checkpoint: Path, picture: Any) -> None:
    """A checkpoint of a network of this configuration with random weights."""
    torch.manual_seed(0)
    scope = config.default_scope
    init_default_scope(scope)
    network = revert_sync_batchnorm(from_openmmlab._built(scope, config.model, checkpoint)).eval()
    size_wh = tuple(config.model.head.decoder.input_size) if "decoder" in config.model.get("head", {}) else (640, 640)
    pixels = torch.from_numpy(cv2.resize(picture, size_wh)).permute(2, 0, 1)[None].float()
    is_normalised = config.model.data_preprocessor.get("std", [1])[0] > 1
    pixels = (pixels - 115) / 58 if is_normalised else pixels
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.weight.data[:] = 2.0 if is_normalised else 1.0  # against fading
    with torch.no_grad():
        for layer, kind in _last_layers(network):
            _spread(network, layer, kind, pixels)
    torch.save({"state_dict": network.state_dict(), "meta": {}}, checkpoint)


def _forward(network: Any, pixels: torch.Tensor) -> Any:
    head = network.head if hasattr(network, "head") else network.bbox_head
    return head.forward(network.extract_feat(pixels))


def _last_layers(network: Any) -> list[tuple[Any, str]]:
    """Layers whose outputs are scaled: peaks of joints, or scores of people."""
    head = network.head if hasattr(network, "head") else network.bbox_head
    if hasattr(head, "cls_x"):
        return [(head.cls_x, "peaks"), (head.cls_y, "peaks")]
    if hasattr(head, "rtm_cls"):
        return [(layer, "people") for layer in head.rtm_cls]
    if hasattr(head, "multi_level_conv_obj"):
        people = [(layer, "people") for layer in head.multi_level_conv_obj]
        # Its person is the best class everywhere, so that the objectness alone decides.
        people += [(layer, "sure") for layer in head.multi_level_conv_cls]
        return people + [(layer, "sizes") for layer in head.multi_level_conv_reg]
    if hasattr(head, "head_module"):
        parts = head.head_module
        return [(layer, "people") for layer in parts.out_cls] + [(layer, "sizes") for layer in parts.out_bbox]
    return [(head.final_layer, "peaks")]


def _spread(network: Any, layer: Any, kind: str, pixels: torch.Tensor) -> None:
    kept: list[torch.Tensor] = []
    hook = layer.register_forward_hook(lambda _, __, output: kept.append(output))
    _forward(network, pixels)
    hook.remove()
    values = kept[-1]
    if kind == "peaks":
        scale = 0.15 / values.std()
        layer.weight.data *= scale
        if layer.bias is not None:
            layer.bias.data[:] = 0.3 - values.mean() * scale
        return
    free = values - layer.bias.data[:, None, None]
    scale = (0.5 if kind == "sizes" else 2.0) / free.std(dim=(0, 2, 3)).mean()
    layer.weight.data *= scale
    middle = free.mean(dim=(0, 2, 3)) * scale
    if kind == "sizes":
        layer.bias.data[:] = 1 - middle
        return
    layer.bias.data[:] = -middle - 12.0
    few = FEW if hasattr(network, "bbox_head") else FEW / 40  # RTMO's file holds 300 proposals
    layer.bias.data[0] = 6 - middle[0] if kind == "sure" else -torch.quantile(free[0, 0].flatten() * scale, 1 - few)


def predict(config: Path, checkpoint: Path, pictures: list[Any], boxes: Any) -> list[Any]:
    """What the framework itself says of each picture; of top-down networks, of each box of each picture."""
    settings = Config.fromfile(str(config))
    if settings.default_scope == "mmdet":
        return _detect(settings, checkpoint, pictures)
    from mmpose.apis import inference_bottomup, inference_topdown, init_model

    network = init_model(str(config), str(checkpoint), device="cpu")
    network.test_cfg["flip_test"] = False
    if settings.model.type == "TopdownPoseEstimator":
        return [[_joints(one) for one in inference_topdown(network, picture, boxes)] for picture in pictures]
    network.test_cfg["score_thr"] = SCORE_FLOOR
    return [_joints(inference_bottomup(network, picture)[0]) for picture in pictures]


def _joints(sample: Any) -> dict[str, Any]:
    found = sample.pred_instances
    scores = getattr(found, "bbox_scores", np.zeros(0))
    return {
        "keypoints": np.asarray(found.keypoints).tolist(),
        "visibility": np.asarray(found.keypoint_scores).tolist(),
        "score": np.asarray(scores).tolist(),
    }


def _detect(settings: Any, checkpoint: Path, pictures: list[Any]) -> list[Any]:
    """With the picture padded to a multiple of 32 as ours is, where the configuration pads it to a square."""
    from mmdet.apis import inference_detector, init_detector

    sys.modules["mmcv._ext"].nms = _nms  # type: ignore[attr-defined]  # the operator that is not compiled here
    network = init_detector(settings, str(checkpoint), device="cpu")
    network.test_cfg["score_thr"], network.test_cfg["max_per_img"] = SCORE_FLOOR, 10_000
    size = next(step for step in settings.test_dataloader.dataset.pipeline if step["type"] == "Resize")["scale"]
    steps = [
        {"type": "mmdet.LoadImageFromNDArray"},
        {"type": "mmdet.Resize", "scale": tuple(size), "keep_ratio": True},
        {"type": "mmdet.Pad", "size_divisor": 32, "pad_val": {"img": (114, 114, 114)}},
        {"type": "mmdet.PackDetInputs", "meta_keys": ("ori_shape", "img_shape", "scale_factor", "pad_shape")},
    ]
    answers = []
    for picture in pictures:
        found = inference_detector(network, picture, test_pipeline=Compose(steps)).pred_instances
        people = found[found.labels == 0]
        answers.append({"xyxy": people.bboxes.tolist(), "score": people.scores.tolist()})
    return answers


def _nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float, offset: int) -> torch.Tensor:
    """Greedy suppression, written out."""
    kept: list[int] = []
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    for index in scores.argsort(descending=True).tolist():
        if not kept:
            kept.append(index)
            continue
        others = boxes[kept]
        shared = torch.minimum(others[:, 2:], boxes[index, 2:]) - torch.maximum(others[:, :2], boxes[index, :2])
        overlap = shared.clamp(min=0).prod(dim=1)
        if bool((overlap / (area[kept] + area[index] - overlap) <= iou_threshold).all()):
            kept.append(index)
    return torch.tensor(kept, dtype=torch.long)


if __name__ == "__main__":
    work(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()))
