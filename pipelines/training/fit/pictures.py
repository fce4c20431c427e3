"""Pictures beside joints, for networks that see both: frames of a video, cut to the people and scaled."""

from pathlib import Path
from typing import Protocol

import av
import numpy as np
from numpy.typing import NDArray

from models.arrays import AnyArray, FloatArray
from models.runtime.picture_clip import picture_clip
from pipelines.errors import DatasetInvalid

_SUFFIXES = (".mp4", ".avi", ".mkv", ".webm", ".mov")
Pictures = NDArray[np.uint8]


class PictureSource(Protocol):
    """Where pictures come from."""

    def frames(self, name: str, index: AnyArray) -> Pictures:
        """(T, H, W, 3) BGR frames of the video of a sequence, in the order of `index`."""
        ...


class VideoFolder:
    """Videos that are called as their sequences are."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise DatasetInvalid(f"data.videos: {folder} is not a folder")
        self.folder = folder

    def frames(self, name: str, index: AnyArray) -> Pictures:
        """(T, H, W, 3) BGR; past the end of a video its last frame. Raises DatasetInvalid without such a video."""
        path = next((path for path in (self.folder / f"{name}{end}" for end in _SUFFIXES) if path.is_file()), None)
        if path is None:
            raise DatasetInvalid(f"{self.folder}: no video {name} ({' '.join(_SUFFIXES)})")
        wanted, last = set(index.tolist()), int(index.max())
        found: dict[int, Pictures] = {}
        shown: Pictures | None = None
        try:
            with av.open(str(path)) as container:
                for number, frame in enumerate(container.decode(video=0)):
                    if number in wanted:
                        found[number] = shown = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
                    if number >= last:
                        break
        except av.FFmpegError as cause:
            raise DatasetInvalid(f"{path.name}: cannot be decoded: {cause}") from cause
        if shown is None:
            raise DatasetInvalid(f"{path.name}: has none of the frames of its skeleton")
        return np.stack([found.get(number, shown) for number in index.tolist()])


def cut_pictures(
    source: PictureSource | None, name: str, index: AnyArray, keypoint: FloatArray, side: int
) -> FloatArray:
    """(3, T, side, side) normalised pictures of a sequence, of the square around everyone.

    index: (T,) frames. keypoint: (M, T', V, 3) in pixels of the picture. Raises DatasetInvalid without a source.
    """
    if source is None:
        raise DatasetInvalid("features 'rgbpose' need pictures: name the folder of the videos in data.videos")
    frames = source.frames(name, index)
    height, width = frames.shape[1:3]
    return picture_clip(list(frames), keypoint, (width, height), side)
