"""What a process that decodes one file may take of the machine."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DecoderLimits:
    """Bounds on one decoder process; the kernel holds those on memory, processor time and files.

    memory_bytes: address space that decoding may add to the libraries'. 8K with 8 bits takes 0.56 GB (measured).
    start_cpu_s: processor seconds for starting and for reading what the file says of itself.
    cpu_s_per_media_s: further ones for each second of video. 8K at 30 frames a second takes about 3.
    bytes_per_media_s: seconds of video are counted from the file's size where more than it declares; no camera's video
                       has fewer bytes a second.
    cpu_s_max: processor seconds for any file.
    stall_s: seconds to wait for the next picture, or for the first one, before the decoder counts as stuck.
    frames_max: frames that are handed out at most, None for no bound.
    num_places: pictures that the decoder may be ahead.
    """

    memory_bytes: int = 2 << 30
    start_cpu_s: float = 60.0
    cpu_s_per_media_s: float = 10.0
    bytes_per_media_s: float = 10_000.0
    cpu_s_max: float = 24 * 3600.0
    stall_s: float = 60.0
    frames_max: int | None = None
    num_places: int = 4

    def cpu_s(self, num_bytes: int, duration_s: float | None) -> float:
        """Processor seconds for a file of such a size and declared length."""
        media_s = max(duration_s or 0.0, num_bytes / self.bytes_per_media_s)
        return min(self.start_cpu_s + self.cpu_s_per_media_s * media_s, self.cpu_s_max)
