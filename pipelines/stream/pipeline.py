"""The stream, straight down: one frame in, everything that is known of it out."""

from pipelines.stream.actions.chain import ActionChain
from pipelines.stream.people.camera import CameraReport
from pipelines.stream.people.chain import PeopleChain
from pipelines.stream.stats import StageClock
from pipelines.types import Event, Frame, FrameResult


class Pipeline:
    """One source's way through the stages; not for use from several threads at once.

    clock: the one to which both chains give their laps.
    """

    def __init__(self, people: PeopleChain, actions: ActionChain, clock: StageClock) -> None:
        self._people = people
        self._actions = actions
        self._clock = clock

    def process(self, frame: Frame) -> FrameResult:
        """Everything that is known after this frame. Raises ModelError where a network fails.

        Where the frame does not follow on the one before, every track and event ends first, as of the frame before.
        """
        closed = self._actions.finish() if frame.is_break else ()
        self._clock.start()
        poses = self._people(frame)
        actions = self._actions(poses, frame.image)
        return FrameResult(
            frame, poses, actions.states, (*closed, *actions.events), actions.scores, self._clock.frame_ms
        )

    def finish(self) -> tuple[Event, ...]:
        """The events that close because the source has no more frames."""
        return self._actions.finish()

    @property
    def stage_ms(self) -> dict[str, float]:
        """Mean milliseconds per frame and stage so far."""
        return self._clock.mean_ms()

    @property
    def camera(self) -> CameraReport:
        """What was noticed of the camera so far."""
        return self._people.camera

    @property
    def looks_left_out(self) -> int:
        """Looks for people that were left out so far because nobody was there and nothing moved."""
        return self._people.looks_left_out

    @property
    def label_flips(self) -> int:
        """How often a shown action was replaced by another one."""
        return self._actions.label_flips
