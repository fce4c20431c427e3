"""What a worker does with a job: fetch the video if it must, analyse it, write the results."""

from service.settings import Settings
from service.workers.process import Bench


def build_bench(settings: Settings) -> Bench:
    """The bench of a real worker, built inside its process; raises WeightsMissing and the like."""
    raise NotImplementedError(str(settings))
