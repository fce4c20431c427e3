"""Action models of the user's own: the folders that `actogram models import` and `actogram fuse` wrote."""

import logging
from collections.abc import Mapping
from pathlib import Path

from models.errors import ModelError, ModelUnknown
from models.runtime.contract import ActionContract, load_contract
from models.skeleton.derive import derive
from models.skeleton.layouts import COCO17, require_layout

_NAME_MAX = 128

logger = logging.getLogger(__name__)


class OwnModels:
    """The models of one folder, each known by the name of its own folder; what is put there later is found as well.

    folder: may be absent; None knows no models.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._known: dict[str, tuple[int, ActionContract | None]] = {}

    def contracts(self) -> Mapping[str, ActionContract]:
        """Name → contract of every model that can be read now."""
        found = {}
        for path in sorted(self._folder.glob("*/model.json")) if self._folder is not None else ():
            contract = self._read(path) if _is_name(path.parent.name) else None
            if contract is not None:
                found[path.parent.name] = contract
        self._known = {name: kept for name, kept in self._known.items() if name in found or kept[1] is None}
        return found

    def require(self, name: str) -> ActionContract:
        """One that can judge the people of a picture; raises ModelUnknown or LayoutNotServed."""
        found = self.contracts()
        if name not in found:
            raise ModelUnknown(f"found model {name[:128]!r}, expected one of {', '.join(found) or 'none'}")
        require_served(found[name])
        return found[name]

    def _read(self, path: Path) -> ActionContract | None:
        """The contract; one that cannot be read is said in the log, once."""
        name = path.parent.name
        try:
            changed_ns = path.stat().st_mtime_ns
            if self._known.get(name, (0, None))[0] != changed_ns:
                self._known[name] = (changed_ns, None)
                self._known[name] = (changed_ns, load_contract(path))
        except (ModelError, OSError) as error:
            logger.warning("model folder %s is left out: %s", name, error)
        return self._known.get(name, (0, None))[1]


def _is_name(name: str) -> bool:
    """Whether clients can write it: printable, which undecodable bytes are not, and no longer than a field allows."""
    return name.isprintable() and len(name) <= _NAME_MAX


def require_served(contract: ActionContract) -> None:
    """Raise LayoutNotServed where the joints that a model takes cannot come from pictures of people."""
    if contract.features != "everyday13":
        derive(COCO17, require_layout(contract.layout))
