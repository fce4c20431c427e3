"""Finds every track's joints: follows them from frame to frame, tries other rotations, guards crowded people.

The joints of the last frame say where to look in this one, rotated with the body, so that a fall is followed. The
detector only starts people, confirms them, and gives the occasion to test other rotations.
"""

from itertools import combinations

import numpy as np

from models.arrays import FloatArray
from models.skeleton.layouts import COCO17, Layout
from pipelines.stream.config import PoseConfig
from pipelines.stream.people.appearance import colour_distance, torso_colour
from pipelines.stream.people.boxes import cover_matrix, iou_matrix, longer_side, overlap, square_region, turned
from pipelines.stream.people.pose_hypothesis import EstimatePoses, PoseHypothesis, estimate, joint_distance
from pipelines.stream.people.pose_memory import PoseMemory
from pipelines.stream.people.region import settled
from pipelines.stream.people.rotation import (
    DetectPeople,
    Trial,
    keep_bonus,
    other_regions,
    run_trials,
    start_regions,
    upright_bonus,
)
from pipelines.types import Frame, Outcome, Sightings, Tracks

_MIN_BOX_SHARE = 0.55  # of the body's size: a smaller box shows a part and must not turn the whole
_STRONG, _TALL = 0.6, 1.5  # nobody who lies gets so strong and tall a box
_UPRIGHT_AHEAD = 0.5  # of selection score, by which a body that is upside down must win in a box of one who stands
_START_OVERLAP, _START_COVER = 0.2, 0.6
_MIN_FOLLOWED_SHARE = 0.38  # of the body's size; whoever falls towards the camera shrinks to half within three pictures
_VISIBILITY_SLACK = 0.05
_REACH = 1.0  # of the body's size: how far a person gets while nobody sees them
_AMONG = 0.1  # overlap (IoU) from which a turned crop shows a neighbour as well


class PoseStage:
    """Joints of all tracks in one frame, in one call of the network (three when somebody is new or in doubt).

    estimator: the network, or a batcher before it. detector: judges which way up a new, weakly detected person is;
    None leaves that to the landmarks alone. layout: of the joints that the network gives.
    """

    def __init__(
        self,
        estimator: EstimatePoses,
        config: PoseConfig,
        detector: DetectPeople | None = None,
        layout: Layout = COCO17,
    ) -> None:
        self._estimator = estimator
        self._layout = layout
        self._detector = detector
        self._config = config
        self._memories: dict[int, PoseMemory] = {}

    def __call__(self, frame: Frame, tracks: Tracks) -> Sightings:
        """Look for the joints of every track."""
        ids = tracks.track_id.tolist()
        self._memories = {track_id: memory for track_id, memory in self._memories.items() if track_id in set(ids)}
        found = self._follow(frame, tracks, ids)
        starts, rechecks = self._starts(frame, tracks, ids), self._rechecks(frame, tracks, ids, found)
        better = run_trials(self._estimator, frame.image, starts + rechecks, self._layout)
        for trial in rechecks:
            memory = self._memories[ids[trial.row]]
            memory.note_test(trial, found[trial.row], frame.time_s, is_better=trial.row in better)
        found |= better
        colours = {row: torso_colour(frame.image, guess.keypoints, self._layout) for row, guess in found.items()}
        outcomes = [self._judge(row, tracks, found.get(row), colours.get(row)) for row in range(len(ids))]
        self._reunite(tracks, found, colours, outcomes)
        self._part_duplicates(tracks, found, outcomes)
        for row, outcome in enumerate(outcomes):
            if outcome == "seen":
                memory = self._memories.setdefault(ids[row], PoseMemory.begin(found[row], frame.time_s))
                memory.see(found[row], frame.time_s)
                memory.was_strong |= bool(tracks.score[row] >= _STRONG)
                memory.see_colour(colours[row], is_crowded=bool(tracks.is_crowded[row]))
        return self._sightings(frame, tracks, found, outcomes)

    def reset(self) -> None:
        """Forget every body."""
        self._memories.clear()

    def _follow(self, frame: Frame, tracks: Tracks, ids: list[int]) -> dict[int, PoseHypothesis]:
        """One pass for each known body, in the region that its last joints predict."""
        rows = [row for row, track_id in enumerate(ids) if track_id in self._memories]
        regions = [self._next_region(row, tracks, self._memories[ids[row]]) for row in rows]
        return dict(zip(rows, estimate(self._estimator, frame.image, regions, self._layout), strict=True))

    def _next_region(self, row: int, tracks: Tracks, memory: PoseMemory) -> FloatArray:
        """Where to look for a known body: on the grid, but exactly as predicted if it is missing, or weak and on trial.

        Followed exactly, furniture trembles, which is what tells it from people. Somebody who went missing in a fall
        was not found again on the grid.
        """
        is_person = tracks.is_shown[row] or memory.was_strong
        if tracks.is_missing[row] or not is_person:
            return memory.last.next_region
        return settled(memory.last.region, memory.last.next_region)

    def _starts(self, frame: Frame, tracks: Tracks, ids: list[int]) -> list[Trial]:
        """Trials for tracks without a body yet."""
        rows = [row for row, track_id in enumerate(ids) if track_id not in self._memories]
        return [self._start(frame, row, tracks) for row in rows]

    def _start(self, frame: Frame, row: int, tracks: Tracks) -> Trial:
        box = tracks.xyxy[row]
        regions = self._search(row, tracks)
        if len(regions) == 1 and not self._is_among_others(row, tracks):
            # Before a camera that hangs upside down, people who stand on their heads get strong and tall boxes, too.
            return Trial(row, (*regions, turned(regions[0], np.pi)), box, bonus=(_UPRIGHT_AHEAD, 0.0))
        has_choice = len(regions) > 1 and self._detector is not None
        bonus = upright_bonus(self._detector, frame.image, box) if self._detector and has_choice else ()
        return Trial(row, regions, box, bonus=bonus)

    def _search(self, row: int, tracks: Tracks) -> tuple[FloatArray, ...]:
        """Where to look for a body in a box; among others only upright, where a turned crop shows the neighbour."""
        if self._is_among_others(row, tracks):
            return (square_region(tracks.xyxy[row]),)
        return start_regions(tracks.xyxy[row], float(tracks.score[row]), self._config.upright_score)

    def _is_among_others(self, row: int, tracks: Tracks) -> bool:
        """Whether somebody who is in plain sight overlaps this track; a torn box of its own body does not count."""
        others = tracks.is_shown & ~tracks.is_missing
        others[row] = False
        return bool((iou_matrix(tracks.xyxy[row][None], tracks.xyxy[others]) > _AMONG).any())

    def _rechecks(self, frame: Frame, tracks: Tracks, ids: list[int], found: dict[int, PoseHypothesis]) -> list[Trial]:
        """Trials for known bodies whose rotation is in doubt, or which are missing while a box is there."""
        if not tracks.detected:
            return []
        trials = [self._recheck(row, tracks, ids[row], present) for row, present in found.items()]
        return [
            trial
            for trial in trials
            if trial is not None and trial.regions
            and self._memories[ids[trial.row]].is_worth(trial, found[trial.row], frame.time_s)
        ]  # fmt: skip

    def _recheck(self, row: int, tracks: Tracks, track_id: int, present: PoseHypothesis) -> Trial | None:
        box, size_px = _box(tracks, row), self._memories[track_id].size_px
        if box is not None and longer_side(box) < _MIN_BOX_SHARE * size_px:
            box = None
        is_lost = present.presence < self._config.min_presence or self._has_shrunk(track_id, present)
        if tracks.is_missing[row] or is_lost:
            if box is None:
                return None
            regions = self._search(row, tracks)
            *bonus, own = keep_bonus([*regions, present.region], self._memories[track_id].last.region)
            to_beat = -np.inf if is_lost else present.selection(box) + own
            return Trial(row, regions, box, size_px, to_beat, bonus=tuple(bonus))
        if tracks.is_crowded[row] or (box is not None and _stands(box, float(tracks.score[row]))):
            return None
        regions = other_regions(present, box, self._config.recheck_evidence)
        to_beat = present.selection(box) + self._config.replace_margin
        return Trial(row, regions, box, size_px, to_beat, present.visibility - _VISIBILITY_SLACK)

    def _judge(self, row: int, tracks: Tracks, guess: PoseHypothesis | None, colour: FloatArray | None) -> Outcome:
        """Whether what was found is this track's body."""
        track_id = int(tracks.track_id[row])
        memory = self._memories.get(track_id)
        box = _box(tracks, row)
        if guess is None or (memory is None and not self._is_good_start(guess, box)):
            return "unfound"
        if guess.presence < self._config.min_presence or (memory and self._has_shrunk(track_id, guess)):
            return "low_presence"
        if memory is not None and tracks.is_missing[row] and not self._is_good_start(guess, box):
            return "low_presence"
        if memory is not None and memory.colour is not None and tracks.is_crowded[row]:
            is_other = colour is None or colour_distance(memory.colour, colour) > self._config.torso_distance
            return "wrong_identity" if is_other else "seen"
        return "seen"

    def _has_shrunk(self, track_id: int, guess: PoseHypothesis) -> bool:
        """Whether the joints slid together onto a part of the body, as they do when most of it is out of sight."""
        return longer_side(guess.xyxy) < _MIN_FOLLOWED_SHARE * self._memories[track_id].size_px

    def _is_good_start(self, guess: PoseHypothesis, box: FloatArray | None) -> bool:
        is_there = box is None or _is_in(guess.xyxy, box)
        is_sure = guess.presence > self._config.start_presence
        return is_there and is_sure and guess.visibility > self._config.start_visibility

    def _reunite(
        self,
        tracks: Tracks,
        found: dict[int, PoseHypothesis],
        colours: dict[int, FloatArray | None],
        outcomes: list[Outcome],
    ) -> None:
        """Give the body of a track on trial to a known person who went missing nearby: a fall may take two frames."""
        for row, outcome in enumerate(outcomes):
            if outcome != "low_presence" or not tracks.is_shown[row] or tracks.is_crowded[row]:
                continue
            memory = self._memories[int(tracks.track_id[row])]
            for other in range(len(outcomes)):
                newcomer = self._memories.get(int(tracks.track_id[other]))
                were_together = newcomer is not None and newcomer.born_s <= memory.time_s
                if outcomes[other] != "seen" or tracks.is_shown[other] or were_together:
                    continue
                if self._may_be(memory, found[other], colours[other]):
                    found[row], colours[row], outcomes[row] = found[other], colours[other], "seen"
                    outcomes[other] = "duplicate"
                    break

    def _may_be(self, memory: PoseMemory, guess: PoseHypothesis, colour: FloatArray | None) -> bool:
        """Whether a body that turns up may be one that went missing: near, of like size and colour."""
        moved = (guess.xyxy[:2] + guess.xyxy[2:] - memory.last.xyxy[:2] - memory.last.xyxy[2:]) / 2
        is_near = float(np.hypot(*moved)) < _REACH * memory.size_px
        is_alike = _MIN_FOLLOWED_SHARE < longer_side(guess.xyxy) / memory.size_px < 1 / _MIN_FOLLOWED_SHARE
        if memory.colour is None or colour is None:
            return is_near and is_alike
        # Whoever falls shows another side of the clothes: looser than between two people who stand together.
        return is_near and is_alike and colour_distance(memory.colour, colour) < self._config.torso_distance + 0.2

    def _part_duplicates(self, tracks: Tracks, found: dict[int, PoseHypothesis], outcomes: list[Outcome]) -> None:
        """Of two tracks on one body, one gives way: the one on trial, else the one that moved further."""
        seen = [row for row, outcome in enumerate(outcomes) if outcome == "seen"]
        for first, second in combinations(seen, 2):
            if "duplicate" in (outcomes[first], outcomes[second]):
                continue
            if joint_distance(found[first].keypoints, found[second].keypoints) < self._config.duplicate_distance:
                claims = [self._claim(tracks, row, found[row]) for row in (first, second)]
                outcomes[first if claims[0] < claims[1] else second] = "duplicate"

    def _claim(self, tracks: Tracks, row: int, guess: PoseHypothesis) -> tuple[bool, float]:
        """How good a track's claim to a body is; the larger wins."""
        memory = self._memories.get(int(tracks.track_id[row]))
        moved = np.inf if memory is None else joint_distance(memory.last.keypoints, guess.keypoints)
        return bool(tracks.is_shown[row]), -moved

    def _sightings(
        self, frame: Frame, tracks: Tracks, found: dict[int, PoseHypothesis], outcomes: list[Outcome]
    ) -> Sightings:
        num = len(tracks)
        keypoints = np.zeros((num, len(self._layout), 3), np.float32)
        xyxy, presence = tracks.xyxy.copy(), np.zeros(num, np.float32)
        for row, guess in found.items():
            keypoints[row] = _scored(guess, frame.size_wh)
            xyxy[row], presence[row] = guess.xyxy, guess.presence
        return Sightings(
            frame.index, frame.time_s, frame.size_wh, tracks.track_id, keypoints, xyxy, presence, tuple(outcomes)
        )


def _box(tracks: Tracks, row: int) -> FloatArray | None:
    """The track's detected box in this frame."""
    return tracks.xyxy[row] if tracks.score[row] > 0 else None


def _is_in(xyxy: FloatArray, box: FloatArray) -> bool:
    """Whether a body is what the detector boxed; a box of one who lies on a mattress often holds both."""
    is_most_inside = float(cover_matrix(xyxy[None], box[None])[0, 0]) > _START_COVER
    return overlap(xyxy, box) > _START_OVERLAP or (is_most_inside and longer_side(xyxy) > longer_side(box) / 2)


def _stands(box: FloatArray, score: float) -> bool:
    return bool(score >= _STRONG and box[3] - box[1] > _TALL * (box[2] - box[0]))


def _scored(guess: PoseHypothesis, size_wh: tuple[int, int]) -> FloatArray:
    """Joints scored by visibility times presence, 0 outside the picture."""
    keypoints = guess.keypoints.copy()
    inside = ((keypoints[:, :2] >= 0) & (keypoints[:, :2] < np.array(size_wh))).all(axis=1)
    keypoints[:, 2] *= guess.presence * inside
    return keypoints
