"""Runs in Ultralytics' own environment: makes checkpoints with random weights that find something, and predicts.

`make FOLDER PICTURE` writes one checkpoint per network of NETWORKS; `predict CHECKPOINT PICTURES.. OUT.json` answers as
`ultralytics.YOLO.predict` does. Untrained networks find nothing: their normalisation is set by a real picture, and the
last layer of classes is scaled so that a few places of the picture are people.
"""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "models" / "export" / "people"))

import from_ultralytics  # type: ignore[import-not-found]  # beside its package, as it is used

from_ultralytics._import_torchvision()

import cv2  # noqa: E402
import torch  # noqa: E402
import ultralytics  # noqa: E402
import yaml  # noqa: E402
from torch import nn  # noqa: E402

SCORE_FLOOR = 0.1
FEW = 0.002  # of the places of a picture
NUM_CLASSES = {"detect": 80, "pose": 1}


def make(folder: Path, picture: Path, names: list[str]) -> None:
    """Write one checkpoint per name, as `ultralytics` saves what it trained."""
    seen = cv2.resize(cv2.imread(str(picture)), (640, 384))[:, :, ::-1]
    pixels = torch.from_numpy(seen.copy()).permute(2, 0, 1)[None].float() / 255
    for name in names:
        torch.manual_seed(0)
        network = ultralytics.YOLO(f"{name}.yaml")
        if network.task == "pose":
            network.model = ultralytics.nn.tasks.PoseModel(f"{name}.yaml", nc=1, verbose=False)
        network.model.task = network.task
        network.model.names = {0: "person"} if network.task == "pose" else _coco_names()
        calibrate(network.model, pixels)
        network.save(str(folder / f"{name}.pt"))


def calibrate(model: Any, pixels: torch.Tensor) -> None:
    """Set the normalisation by the picture, then the class layers so that a few places are people."""
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
    model.train()
    with torch.no_grad():
        model(pixels)
        model.eval()
        head = model.model[-1]
        for name in ("cv3", "one2one_cv3"):
            for branch in getattr(head, name, None) or ():
                _spread(model, branch[-1], pixels)
    for norm in norms:
        norm.momentum = 0.03


def _spread(model: Any, layer: Any, pixels: torch.Tensor) -> None:
    kept: list[torch.Tensor] = []
    hook = layer.register_forward_hook(lambda _, __, output: kept.append(output))
    model(pixels)
    hook.remove()
    if not kept:
        return
    logits = kept[-1]
    scale = 2.0 / logits.std()
    layer.weight.data *= scale
    person = (logits[0, 0] - layer.bias.data[0]) * scale
    layer.bias.data[:] = -torch.quantile(person.flatten(), 1 - FEW) - 1.0
    layer.bias.data[0] += 1.0


def predict(checkpoint: Path, pictures: list[str], target: Path, is_end_to_end: bool) -> None:
    """Boxes, scores and joints of people per picture."""
    network = ultralytics.YOLO(str(checkpoint))
    options = {"conf": SCORE_FLOOR, "iou": 0.7, "imgsz": 640, "classes": [0], "verbose": False, "device": "cpu"}
    if is_end_to_end:
        options["nms"] = False
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
