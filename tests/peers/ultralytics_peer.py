"""Runs in Ultralytics' own environment: makes checkpoints with random weights that find something, and predicts.

`make FOLDER PICTURE` writes one checkpoint per network of NETWORKS; `predict CHECKPOINT PICTURES.. OUT.json` answers as
`ultralytics.YOLO.predict` does. Untrained networks find nothing: their last layers are scaled by a real picture, so
that a few of its places are people.
"""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "models" / "export" / "people"))

import from_ultralytics  # type: ignore[import-not-found]  # beside its package, as it is used

from_ultralytics._import_torchvision()

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
import torchvision  # noqa: E402
import ultralytics  # noqa: E402
from ultralytics.utils.nms import TorchNMS  # noqa: E402

torchvision.ops.nms = TorchNMS.nms  # Ultralytics' own, because torchvision's is not compiled here
import yaml  # noqa: E402
from torch import nn  # noqa: E402

SCORE_FLOOR = 0.1
FEW = 0.004  # of the places of a picture
LAST_LAYERS = {
    "cv2": "places", "one2one_cv2": "places", "cv3": "people", "one2one_cv3": "people", "cv4": "places",
    "one2one_cv4": "places", "cv4_kpts": "places", "one2one_cv4_kpts": "places",
}  # fmt: skip


def make(folder: Path, picture: Path, names: list[str]) -> None:
    """Write one checkpoint per name, as `ultralytics` saves what it trained."""
    seen = cv2.resize(np.asarray(cv2.imread(str(picture))), (640, 384))[:, :, ::-1]
    pixels = torch.from_numpy(seen.copy()).permute(2, 0, 1)[None].float() / 255
    for name in names:
        torch.manual_seed(0)
        network = ultralytics.YOLO(f"{name}.yaml")
        if network.task == "pose":
            network.model = ultralytics.nn.tasks.PoseModel(f"{name}.yaml", nc=1, verbose=False)
        network.model.task = network.task
        network.model.names = {0: "person"} if network.task == "pose" else _coco_names()
        calibrate(network.model, pixels)
        # As `save` writes it, but not in half precision, which these scales leave.
        kept = {"model": network.model.float(), "train_args": {}, "version": ultralytics.__version__}
        torch.save(kept, folder / f"{name}.pt")


def calibrate(model: Any, pixels: torch.Tensor) -> None:
    """Scale the last layers, so that a few places are people, of several sizes and poses.

    The layers before stay as they are: normalised by a picture, they would amplify the last bit of every sum.
    """
    head = model.model[-1]
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.weight.data[:] = 2.0  # against fading
    model.eval()
    with torch.no_grad():
        for name, kind in LAST_LAYERS.items():
            for branch in getattr(head, name, None) or ():
                layer = branch[-1] if isinstance(branch, nn.Sequential) else branch
                _spread(model, layer, kind, pixels)


def _spread(model: Any, layer: nn.Module, kind: str, pixels: torch.Tensor) -> None:
    kept: list[torch.Tensor] = []
    hook = layer.register_forward_hook(lambda _, __, output: kept.append(output))
    model(pixels)
    hook.remove()
    if not kept or not isinstance(layer, nn.Conv2d) or layer.bias is None:
        return
    free = kept[-1] - layer.bias.data[:, None, None]
    scale = (2.0 if kind == "people" else 1.0) / free.std(dim=(0, 2, 3)).mean()
    layer.weight.data *= scale
    middle = free.mean(dim=(0, 2, 3)) * scale
    if kind != "people":
        layer.bias.data -= middle
        return
    person = free[0, 0] * scale
    layer.bias.data[:] = -middle - 12.0
    layer.bias.data[0] = -torch.quantile(person.flatten(), 1 - FEW) - 2.0


def predict(checkpoint: Path, pictures: list[str], target: Path, is_end_to_end: bool) -> None:
    """Boxes, scores and joints of people per picture."""
    network = ultralytics.YOLO(str(checkpoint))
    options = {"conf": SCORE_FLOOR, "iou": 0.7, "imgsz": 640, "classes": [0], "verbose": False, "device": "cpu"}
    options |= {"nms": False} if is_end_to_end else {"max_det": 10_000}
    answers = []
    for picture in pictures:
        found = network.predict(cv2.imread(picture), **options)[0]
        answers.append(
            {
                "xyxy": found.boxes.xyxy.tolist(),
                "score": found.boxes.conf.tolist(),
                "keypoints": found.keypoints.data.tolist() if found.keypoints is not None else [],
            }
        )
    target.write_text(json.dumps(answers))


def _coco_names() -> dict[int, str]:
    path = Path(ultralytics.__file__).parent / "cfg" / "datasets" / "coco.yaml"
    names: dict[int, str] = yaml.safe_load(path.read_text(encoding="utf-8"))["names"]
    return names


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
    else:
        checkpoint, target, *pictures = sys.argv[2:]
        predict(Path(checkpoint), pictures, Path(target), sys.argv[1] == "predict-end-to-end")
