"""Gives the path of a network's weight file, checked: from the repository, the cache, a folder, a package or a URL."""

import contextlib
import fcntl
import hashlib
import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from models.atomic_file import land, replacing
from models.errors import WeightsCorrupt, WeightsMissing
from models.weights.fetch import Fetcher, FetchFailed, Progress, fetch_package, fetch_url
from models.weights.registry import ZOO_PATH, FileSpec, ModelSpec, WeightSource

logger = logging.getLogger(__name__)

WeightState = Literal["cached", "available", "missing"]
"""At hand; not at hand but a source may be asked for it; neither."""

_LOCK_TIMEOUT_S = 1200.0
_LOCK_POLL_S = 0.1


def _silent(what: str, done_bytes: int, total_bytes: int) -> None:
    pass


class WeightStore:
    """Weight files by registry entry; several processes may share one cache.

    cache:   folder for what is fetched or made; created when needed.
    extra:   a folder of the user's with weight files, taken before anything is fetched; never written.
    offline: fetch nothing.
    """

    def __init__(
        self,
        cache: Path,
        extra: Path | None = None,
        offline: bool = False,
        zoo: Path = ZOO_PATH,
        fetchers: Mapping[str, Fetcher] | None = None,
    ) -> None:
        self.cache = cache
        self.extra = extra
        self.offline = offline
        self._zoo = zoo
        self._fetchers = fetchers if fetchers is not None else {"package": fetch_package, "url": fetch_url}

    def require(self, spec: ModelSpec, role: str = "model", progress: Progress | None = None) -> Path:
        """The path of a file whose sha256 has been checked.

        Raises WeightsMissing when no source has it, and WeightsCorrupt when what a source gives is not the file.
        """
        file = spec.require_file(role)
        if file.made_from:
            return self._require_made(spec, file, progress or _silent)
        at_hand = self._at_hand(file)
        if at_hand is not None:
            return at_hand
        with _locked(self.cache / f"{file.path}.lock"):
            at_hand = self._at_hand(file)  # another process may have landed it while this one waited
            return at_hand if at_hand is not None else self._fetch(spec, file, progress or _silent)

    def choose(
        self, specs: Sequence[ModelSpec], progress: Progress | None = None, prefer_at_hand: bool = True
    ) -> tuple[ModelSpec, Path]:
        """The first network that can be had, and its file.

        prefer_at_hand: ask no source for a better one while a lesser one is at hand, so that a machine without a
        network does not wait at every start. Raises WeightsMissing, with every reason, when none can be had.
        """
        if prefer_at_hand:
            specs = sorted(specs, key=lambda spec: self.state(spec) != "cached")
        reasons = []
        for spec in specs:
            try:
                return spec, self.require(spec, progress=progress)
            except (WeightsMissing, WeightsCorrupt) as error:
                logger.info("%s cannot be had: %s", spec.name, error)
                reasons.append(str(error))
        raise WeightsMissing("; ".join(reasons))

    def state(self, spec: ModelSpec, role: str = "model") -> WeightState:
        """Whether a file is at hand; asks no source. A file that is not what it must be counts as not at hand."""
        file = spec.require_file(role)
        if file.made_from:
            return "cached" if self._made_at_hand(spec, file) else self._state_of_source(spec, file)
        with contextlib.suppress(WeightsCorrupt):
            if self._at_hand(file) is not None:
                return "cached"
        fetchable = not self.offline and any(source.kind in self._fetchers for source in file.sources)
        return "available" if fetchable else "missing"

    def _state_of_source(self, spec: ModelSpec, file: FileSpec) -> WeightState:
        return "missing" if self.state(spec, file.made_from) == "missing" else "available"

    def _at_hand(self, file: FileSpec) -> Path | None:
        """The file where no fetching is needed. Raises WeightsCorrupt for a wrong file of the user's or of ours."""
        for source in file.sources:
            path = self._local(source)
            if path is not None and source.kind == "repository":
                return self._verified(path, file)
        cached = self.cache / file.path
        if cached.is_file():
            try:
                return self._verified(cached, file)
            except WeightsCorrupt as error:
                logger.warning("%s; it is fetched again", error)
        for source in file.sources:
            path = self._local(source)
            if path is not None and source.kind == "folder":
                return self._verified(path, file)
        copy = self._extra_copy(file)
        return None if copy is None else self._verified(copy, file)

    def _local(self, source: WeightSource) -> Path | None:
        folder = {"repository": self._zoo, "folder": self.extra}.get(source.kind)
        path = None if folder is None else folder / source.path
        return path if path is not None and path.is_file() else None

    def _extra_copy(self, file: FileSpec) -> Path | None:
        """The file in the user's folder under the name that a cache gives it: that folder may be another's cache."""
        path = None if self.extra is None else self.extra / file.path
        return path if path is not None and path.is_file() else None

    def _fetch(self, spec: ModelSpec, file: FileSpec, progress: Progress) -> Path:
        reasons, corrupt = [], False
        for source in () if self.offline else file.sources:
            if source.kind not in self._fetchers:
                continue
            try:
                return self._fetch_from(source, file, progress)
            except FetchFailed as error:
                reasons.append(str(error))
            except WeightsCorrupt as error:
                reasons.append(str(error))
                corrupt = True
        if corrupt:
            raise WeightsCorrupt(f"{spec.name}: {'; '.join(reasons)}")
        raise WeightsMissing(self._missing(spec, file, reasons))

    def _fetch_from(self, source: WeightSource, file: FileSpec, progress: Progress) -> Path:
        with tempfile.TemporaryDirectory(dir=self.cache, prefix=".fetch-") as folder:
            found = self._fetchers[source.kind](source, file, Path(folder), progress)
            self._verified(found, file)
            target = self.cache / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            land(found, target)
            return target

    def _verified(self, path: Path, file: FileSpec) -> Path:
        """The path, if its sha256 is the registry's; of a user's own export, the one it had at its first use."""
        found, record = _sha256(path), self.cache / f"{file.path}.sha256"
        if file.sha256 and found != file.sha256:
            raise WeightsCorrupt(f"{path}: sha256 {found[:12]}, registry says {file.sha256[:12]}")
        if not file.sha256:
            record.parent.mkdir(parents=True, exist_ok=True)
            if not record.is_file():
                _write(found.encode(), record)
            known = record.read_text(encoding="ascii")
            if found != known:
                raise WeightsCorrupt(
                    f"{path}: sha256 {found[:12]}, {known[:12]} at its first use; delete {record} to accept it"
                )
        return path

    def _missing(self, spec: ModelSpec, file: FileSpec, reasons: Sequence[str]) -> str:
        """What is missing, why, and the two ways to get it."""
        why = "offline is set" if self.offline else "; ".join(reasons) or "no source is known"
        names = [source.path for source in file.sources if source.kind == "folder"] or [file.path]
        put = f"put {names[0]} into the folder that ACTOGRAM_WEIGHTS names (now {self.extra or 'not set'})"
        if any(source.kind in self._fetchers for source in file.sources):
            put = (
                f"either run `actogram models pull {spec.name}` where there is a network and copy that folder, or {put}"
            )
        return f"{spec.name}: {file.path} is neither in {self.cache} nor reachable ({why}); {put}"

    def _made_path(self, spec: ModelSpec, file: FileSpec) -> Path:
        """Where a converted file is kept; another source or converter gives another name."""
        source = spec.require_file(file.made_from)
        name = Path(file.path)
        return self.cache / f"{name.stem}-{source.sha256[:8]}-{file.converter_version}{name.suffix}"

    def _made_at_hand(self, spec: ModelSpec, file: FileSpec) -> Path | None:
        """The converted file in the cache, or in a user's folder that was the cache of another."""
        made = self._made_path(spec, file)
        paths = [made] if self.extra is None else [made, self.extra / made.name]
        return next((path for path in paths if _is_made(path)), None)

    def _require_made(self, spec: ModelSpec, file: FileSpec, progress: Progress) -> Path:
        at_hand = self._made_at_hand(spec, file)
        if at_hand is not None:
            return at_hand
        made = self._made_path(spec, file)
        source = self.require(spec, file.made_from, progress)
        with _locked(self.cache / f"{made.name}.lock"):
            if not _is_made(made):
                _make(_converter(file.converter), source, made)
        return made


def _converter(name: str) -> Callable[[Path], bytes]:
    # onnx takes a second to import and is needed once in a cache's life.
    from models.weights.convert_blazepose import convert_blazepose

    return lambda source: convert_blazepose(source, name)


def _make(convert: Callable[[Path], bytes], source: Path, made: Path) -> None:
    """Write the converted file and, last, its sha256 beside it; without that it does not count as made."""
    data = convert(source)
    _write(data, made)
    _write(hashlib.sha256(data).hexdigest().encode(), _digest_path(made))


def _is_made(made: Path) -> bool:
    digest = _digest_path(made)
    return made.is_file() and digest.is_file() and digest.read_text(encoding="ascii") == _sha256(made)


def _digest_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _write(data: bytes, target: Path) -> None:
    with replacing(target, is_synced=True) as part:
        part.write_bytes(data)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock file against every thread and process; gives up after 20 minutes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + _LOCK_TIMEOUT_S
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise WeightsMissing(f"{path.name}: held by another process for {_LOCK_TIMEOUT_S:.0f} s") from None
                time.sleep(_LOCK_POLL_S)
        yield
