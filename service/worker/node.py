"""A worker on a node of a cluster: weights from its own cache, files from a folder or store shared with the server."""

from pathlib import Path

from pipelines.errors import PipelineError
from service.settings import Settings
from service.worker.runners import TaskRunners, build_runners

MARK = ".cluster"
"""A file in the blob folder whose text the server has written."""


class FilesNotShared(PipelineError):
    """A node that does not see the server's files."""

    code = "files_not_shared"


def build_on_node(settings: Settings, num_cores: float, mark: str) -> TaskRunners:
    """Load the networks on this node; raises FilesNotShared, WeightsMissing and the like.

    num_cores: processor cores of the node that are this worker's share.
    mark: the text that the server has written into `MARK`; of no interest where blobs lie in a bucket.
    """
    if settings.blobs_url is None:
        require_shared(settings.blobs, mark)
    return build_runners(settings.model_copy(update={"weights_cache": node_cache(settings)}), num_cores)


def require_shared(blobs: Path, mark: str) -> None:
    """Raises FilesNotShared where the blob folder is not the one that the server writes to."""
    try:
        found = (blobs / MARK).read_text("utf-8")
    except OSError as error:
        raise FilesNotShared(f"{blobs} cannot be read on this node ({error.strerror}): {_ADVICE}") from error
    if found != mark:
        raise FilesNotShared(f"{blobs} on this node is not the server's folder: {_ADVICE}")


def node_cache(settings: Settings) -> Path:
    """Where this node keeps weights: never in the shared home, where nodes would write over each other."""
    return settings.weights_cache or Path.home() / ".actogram" / "weights"


_ADVICE = "mount the server's ACTOGRAM_HOME at the same path on every node, or set ACTOGRAM_BLOBS_URL"
