"""An examination: everything that is asked of an action model, in one table that a number can be read off.

(a) sources left out whole, (b) people held out inside sets, (c) whole videos event by event, (d) what is like no label,
(e) calibration in places never seen. What was not run is said to be not run.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.runtime.action import ActionModel
from models.runtime.contract import load_contract
from models.runtime.session import Session
from pipelines.errors import ConfigInvalid
from pipelines.training import left_out
from pipelines.training.config import load_config
from pipelines.training.datasets import Annotation, load_set
from pipelines.training.examine_events import ClipResult, as_json, examine_clip, summary
from pipelines.training.examine_sets import (
    NOT_RUN,
    Examined,
    available,
    calibration,
    held_out_people,
    load_examined,
    open_set,
)
from pipelines.training.examine_truth import Truth, load_truth
from pipelines.training.labels import LabelTable, load_labels
from pipelines.training.left_out import LeftOut, write_json
from pipelines.training.segments import EVERYDAY, load_segments

Say = Callable[[str], None]
LOOKED_AT = (
    "thresholds, temperature and the open-set rule of a model come from validation parts of its training splits; "
    "nothing here was chosen by a number of this table"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is examined, and on what.

    models:  runs or exported folders that differ in their seed. data: folders of skeleton sets.
    tracks:  sets of videos, made by `actogram prepare`. truth: files that say what is seen in them.
    study:   runs that left sources out. recipe: the preset by which missing ones are made; None makes none.
    work:    where results per video are kept, so that an examination that is cut off goes on.
    """

    models: tuple[Path, ...]
    data: tuple[Path, ...]
    work: Path
    tracks: tuple[Path, ...] = ()
    truth: tuple[Path, ...] = ()
    study: LeftOut | None = None
    recipe: str | None = None
    overrides: dict[str, str] = field(default_factory=dict)


def examine(asked: Asked, say: Say = lambda _: None) -> dict[str, object]:
    """All parts as JSON values; raises what reading a model, a set or a run raises."""
    table = load_labels()
    asked.work.mkdir(parents=True, exist_ok=True)
    models, why = _models(asked, table)
    say("people held out inside sets")
    people = held_out_people(models, table, asked.data) if models else {"status": NOT_RUN, "why": why}
    say("what is like no label")
    strange = open_set(models, table, asked.data) if models else {"status": NOT_RUN, "why": why}
    sources, doubt = _left_out(asked, table, say)
    return {
        "model": [_named(path, one) for path, one in zip(asked.models, models, strict=bool(models))],
        "left_out": sources, "people": people, "events": _events(asked, table, say), "open_set": strange,
        "calibration": doubt, "looked_at": LOOKED_AT,
    }  # fmt: skip


def _models(asked: Asked, table: LabelTable) -> tuple[list[Examined], str]:
    """Networks whose sets are known; none, and why, of served models that do not say how they were trained.

    Raises ConfigInvalid or CheckpointMismatch for a run that is not one of an everyday network.
    """
    try:
        return load_examined(asked.models, table, asked.data), ""
    except ConfigInvalid as cause:
        if not all((path / "model.json").is_file() for path in asked.models):
            raise
        return [], str(cause)


def _named(path: Path, one: Examined) -> dict[str, object]:
    weights = path / "model.onnx"
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()[:12] if weights.is_file() else None
    return {
        "name": one.subject.config.name, "seed": one.subject.config.seed, "temperature": round(one.temperature, 4),
        "labels": len(one.subject.labels), "sha256": sha256,
    }  # fmt: skip


def _left_out(asked: Asked, table: LabelTable, say: Say) -> tuple[dict[str, object], dict[str, object]]:
    if asked.study is None:
        why = "name the folder of the runs by --runs, and a recipe by --train to make them"
        return {"status": NOT_RUN, "why": why}, {"status": NOT_RUN, "why": why}
    sets = [name for name in available(table, asked.data) if not table.sets[name].optional]
    table = table.taught_by(sets)
    if asked.recipe is not None:
        left_out.train_missing(
            load_config(asked.recipe, asked.overrides), table, asked.data, asked.study, sets, say
        )  # fmt: skip
    answers, temperatures = left_out.measure(table, asked.data, asked.study, sets, say)
    found = left_out.report(table, asked.study, sets, answers)
    return found | {"runs": left_out.settings_of(asked.study, table, sets)}, calibration(answers, temperatures)


def _events(asked: Asked, table: LabelTable, say: Say) -> dict[str, object]:
    if not asked.tracks or not asked.truth:
        why = "name prepared videos by --tracks, and what is seen in them by --truth"
        return {"status": NOT_RUN, "why": why}
    folder = asked.models[0]
    if not (folder / "model.json").is_file():
        return {"status": NOT_RUN, "why": f"{folder.name}: videos go through a served model: export the run first"}
    truth = load_truth(asked.truth, table)
    model = ActionModel(load_contract(folder / "model.json"), Session(folder / "model.onnx"))
    kept = asked.work / f"events-{_key(folder, asked)}"
    kept.mkdir(exist_ok=True)
    learnt = set(load_segments(EVERYDAY)) if _learnt_clips(folder) else set()
    parts: dict[str, dict[str, object]] = {}
    for path in asked.tracks:
        results = _one_set(path, truth, model, kept, say)
        parts[path.stem] = summary([item for item in results if item.clip not in learnt]) | {
            "learnt_from_and_left_out": sorted(item.clip for item in results if item.clip in learnt)
        }
    return {"status": "measured", "sets": parts}


def _one_set(path: Path, truth: Truth, model: ActionModel, kept: Path, say: Say) -> list[ClipResult]:
    clips: dict[str, list[Annotation]] = {}
    for track in load_set(path).annotations:
        clips.setdefault(str(track.extra["video"]).rsplit("/", 1)[-1], []).append(track)
    results = []
    for clip, tracks in sorted(clips.items()):
        known = truth.of(clip)
        if known is None:
            continue
        file = kept / f"{path.stem}-{clip}.json"
        if not file.is_file():
            say(f"{path.stem}: {clip}")
            write_json(as_json(examine_clip(clip, tracks, known, model)), file)
        results.append(_result(json.loads(file.read_text("utf-8"))))
    return results


def _result(raw: dict[str, object]) -> ClipResult:
    return ClipResult(**raw)  # type: ignore[arg-type]  # written by as_json


def _key(folder: Path, asked: Asked) -> str:
    """Changes with the model, the tracks and what is known of them: kept results are of these alone."""
    digest = hashlib.sha256((folder / "model.json").read_bytes())
    for path in (*asked.truth, *asked.tracks):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _learnt_clips(folder: Path) -> bool:
    raw = json.loads((folder / "model.json").read_text("utf-8"))
    return "clips" in raw.get("data", {})


def write(found: dict[str, object], out: Path, page: str) -> Sequence[Path]:
    """`examination.json` and `examination.md` in a folder."""
    out.mkdir(parents=True, exist_ok=True)
    paths = (out / "examination.json", out / "examination.md")
    write_json(found, paths[0])
    paths[1].write_text(page, "utf-8")
    return paths
