"""Several action models made one: a folder that holds copies of them and a contract that says how much each counts."""

import json
import math
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from models.errors import ContractMismatch, FolderUnwritable
from models.runtime.contract import (
    ActionContract,
    MemberSpec,
    UnknownRule,
    load_contract,
    members_sha256,
    verify_members,
    verify_weights,
)
from models.runtime.fusion import require_alike

UNKNOWN_BELOW = 0.3
"""Least probability of a fusion whose members do not agree on a rule."""
_COPIED = ("model.json", "model.onnx")


def fuse(
    folders: Sequence[Path], weights: Sequence[float], folder: Path, unknown: UnknownRule | None = None
) -> ActionContract:
    """Write the folder of a fusion and return its contract.

    weights: one per member, relative to each other. unknown: of the whole; None takes the members' common rule.
    Raises WeightsMissing, WeightsCorrupt, FolderUnwritable, and ContractMismatch where the members are not alike, the
    weights do not fit, or the folder exists and holds something.
    """
    contracts = [_checked(member) for member in folders]
    _require_weights(weights, len(folders))
    if len(folders) < 2:
        raise ContractMismatch(f"found {len(folders)} model, expected two or more to fuse")
    require_alike(contracts)
    for contract in contracts:
        if contract.is_continual:
            raise ContractMismatch(f"{contract.name}: a continual network has no window to share with others")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ContractMismatch(f"{folder}: exists and is not empty; name a new folder")
    members = [
        MemberSpec(folder=_member_name(index, path), weight=weight)
        for index, (path, weight) in enumerate(zip(folders, weights, strict=True), start=1)
    ]
    fused = _fused(folder.resolve().name, contracts, members, unknown)
    try:
        _write(folder, folders, fused)
    except OSError as error:
        raise FolderUnwritable(f"{folder}: {error.strerror or error}") from error
    return fused


def _checked(folder: Path) -> ActionContract:
    """A member's contract, its weights compared with it."""
    contract = load_contract(folder / "model.json")
    if contract.members:
        verify_members(contract, [_checked(folder / member.folder) for member in contract.members])
    else:
        verify_weights(contract, folder / "model.onnx")
    return contract


def _require_weights(weights: Sequence[float], num_members: int) -> None:
    if len(weights) != num_members:
        raise ContractMismatch(f"found {len(weights)} weights, expected {num_members}, one per model")
    for weight in weights:
        if not (math.isfinite(weight) and weight > 0):
            raise ContractMismatch(f"found weight {weight:g}, expected a number above 0")


def _member_name(index: int, folder: Path) -> str:
    """A name inside the fusion's folder: in order, unique, and safe in any file system."""
    return f"{index}-" + (re.sub(r"[^A-Za-z0-9._-]+", "_", folder.resolve().name)[:64] or "model")


def _fused(
    name: str, contracts: Sequence[ActionContract], members: Sequence[MemberSpec], unknown: UnknownRule | None
) -> ActionContract:
    """The contract of the whole; labels, rules and timing are those of the first member."""
    first = contracts[0]
    # One imported member is enough for every joint to be needed.
    features = next((one.features for one in contracts if one.features != "everyday13"), first.features)
    is_resampled = all(one.sampling == "resample" for one in contracts)
    return ActionContract(
        name=name,
        task="action",
        network="fusion",
        layout=first.layout,
        features=features,
        num_persons=max(one.num_persons for one in contracts),
        window_s=first.window_s,
        rate_hz=first.rate_hz,
        num_frames=first.num_samples,
        sampling="resample" if is_resampled else "uniform",
        inputs=(),
        outputs=(),
        labels=first.labels,
        unknown=unknown or _common_rule(contracts),
        actions=first.actions,
        members=tuple(members),
        defaults=() if unknown else _defaults(contracts),
        sha256=members_sha256(members, [one.sha256 for one in contracts]),
    )


def _common_rule(contracts: Sequence[ActionContract]) -> UnknownRule:
    """The rule that all members have; an energy is a network's own and says nothing of a mean."""
    rule = contracts[0].unknown
    if rule.method != "energy" and all(one.unknown == rule for one in contracts):
        return rule
    return UnknownRule(method="max_probability", threshold=UNKNOWN_BELOW)


def _defaults(contracts: Sequence[ActionContract]) -> tuple[str, ...]:
    """The open-set rule is nobody's measurement unless every member has the same one, chosen."""
    is_chosen = all(one.unknown == contracts[0].unknown and "unknown" not in one.defaults for one in contracts)
    return () if is_chosen else ("unknown",)


def _write(folder: Path, folders: Sequence[Path], fused: ActionContract) -> None:
    """All of it beside its place, then renamed: a fusion is there whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as part:
        whole = Path(part) / "fusion"
        whole.mkdir()
        for member, source in zip(fused.members, folders, strict=True):
            _copy(source, whole / member.folder)
        text = json.dumps(fused.model_dump(mode="json"), indent=2, ensure_ascii=False)
        (whole / "model.json").write_text(text + "\n", encoding="utf-8")
        if folder.exists():
            folder.rmdir()
        whole.rename(folder)


def _copy(source: Path, target: Path) -> None:
    target.mkdir()
    for name in _COPIED:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
    for member in load_contract(source / "model.json").members:
        _copy(source / member.folder, target / member.folder)
