"""Networks of the user's own: the folders that `actogram models import`, its exports and `actogram fuse` wrote."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Generic, TypeVar

from models.errors import ModelError, ModelUnknown
from models.runtime.contract import ActionContract, load_contract
from models.runtime.people_folder import is_people_folder, read_people_folder
from models.skeleton.derive import derive
from models.skeleton.layouts import COCO17, require_layout
from models.weights.registry import ModelSpec

SpecT = TypeVar("SpecT")
_NAME_MAX = 128

logger = logging.getLogger(__name__)


class OwnFolders(Generic[SpecT]):
    """The networks of one folder, each known by the name of its own folder; what is put there later is found as well.

    folder: may be absent; None knows none. load: reads what a network's folder says, or raises ModelError.
    is_ours: whether a network's folder is of this kind.
    """

    def __init__(self, folder: Path | None, load: Callable[[Path], SpecT], is_ours: Callable[[Path], bool]) -> None:
        self._folder = folder
        self._load = load
        self._is_ours = is_ours
        self._known: dict[str, tuple[int, SpecT | None]] = {}

    def read(self) -> Mapping[str, SpecT]:
        """Name → what every network that can be read now says of itself."""
        found = {}
        for path in sorted(self._folder.glob("*/model.json")) if self._folder is not None else ():
            spec = self._read(path) if _is_name(path.parent.name) else None
            if spec is not None:
                found[path.parent.name] = spec
        self._known = {name: kept for name, kept in self._known.items() if name in found or kept[1] is None}
        return found

    def _read(self, path: Path) -> SpecT | None:
        """One network; one that cannot be read is said in the log, once."""
        name = path.parent.name
        try:
            changed_ns = path.stat().st_mtime_ns
            if self._known.get(name, (0, None))[0] != changed_ns:
                self._known[name] = (changed_ns, None)
                if self._is_ours(path.parent):
                    self._known[name] = (changed_ns, self._load(path.parent))
        except (ModelError, OSError) as error:
            logger.warning("model folder %s is left out: %s", name, error)
        return self._known.get(name, (0, None))[1]


class OwnModels:
    """The action models among the networks of one folder.

    folder: may be absent; None knows no models.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folders = OwnFolders(
            folder, lambda found: load_contract(found / "model.json"), lambda found: not is_people_folder(found)
        )

    def contracts(self) -> Mapping[str, ActionContract]:
        """Name → contract of every model that can be read now."""
        return self._folders.read()

    def require(self, name: str) -> ActionContract:
        """One that can judge the people of a picture; raises ModelUnknown or LayoutNotServed."""
        found = self.contracts()
        if name not in found:
            raise ModelUnknown(f"found model {name[:128]!r}, expected one of {', '.join(found) or 'none'}")
        require_served(found[name])
        return found[name]


class OwnPeople:
    """The detectors and pose estimators among the networks of one folder."""

    def __init__(self, folder: Path | None) -> None:
        self._folders = OwnFolders(folder, read_people_folder, is_people_folder)

    def specs(self) -> Mapping[str, ModelSpec]:
        """Name → what every one that can be read now says of itself."""
        return {name: replace(spec, name=name) for name, spec in self._folders.read().items()}


def _is_name(name: str) -> bool:
    """Whether clients can write it: printable, which undecodable bytes are not, and no longer than a field allows."""
    return name.isprintable() and len(name) <= _NAME_MAX


def require_served(contract: ActionContract) -> None:
    """Raise LayoutNotServed where the joints that a model takes cannot come from pictures of people."""
    if contract.features != "everyday13":
        derive(COCO17, require_layout(contract.layout))
