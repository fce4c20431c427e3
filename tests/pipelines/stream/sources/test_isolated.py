"""IsolatedFileSource: what FileSource gives, whatever becomes of the process that decodes; and nothing stays behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from models.arrays import Image
from pipelines.errors import AnalysisCancelled, DecoderFailed, SourceError, SourceTooLarge, SourceTooLong
from pipelines.stream.sources import DecoderLimits, FileSource, IsolatedFileSource, SourceLimits
from pipelines.stream.sources.decoder_messages import Order, PictureReady
from pipelines.stream.sources.decoder_process import DECODER, DecoderProcess
from pipelines.types import Frame
from tests.processes import ends_within, held
from tests.videos import Clip, write_video

STALL_S = 3.0  # a decoder needs less to start, also on a busy machine
FAST = {"preset": "veryfast", "bf": "3", "b_strategy": "0"}


def bad(fault: str) -> tuple[str, ...]:
    """The decoder that goes wrong at its third picture."""
    return (sys.executable, "-m", "tests.bad_decoder", fault)


def known(frame: Frame) -> dict[str, object]:
    """Everything of a frame but its pixels."""
    return {each.name: getattr(frame, each.name) for each in fields(frame) if each.name != "image"}


def read(source: FileSource | IsolatedFileSource) -> tuple[list[object], list[Image], SourceError | None]:
    """What a source says, frame by frame, and the error that ends it."""
    said: list[object] = [source.info, source.counts]
    images: list[Image] = []
    try:
        for frame in source:
            said += [known(frame), source.counts]
            images.append(frame.image)
    except SourceError as error:
        return [*said, source.counts], images, error
    return [*said, source.counts], images, None


@pytest.fixture(autouse=True)
def nothing_stays_behind() -> Iterator[None]:
    """Every test leaves the descriptors, the memory and the processes as they were."""
    before = held()
    yield
    descriptors, *others = held()
    # Fewer: what an earlier test left to the garbage collector has gone meanwhile.
    assert descriptors <= before[0]
    assert others == list(before[1:])


def hurt(path: Path) -> Path:
    """A video some of whose packets are broken."""
    whole = bytearray(write_video(path, Clip(size_wh=(320, 240), num_frames=60)).read_bytes())
    for place in range(len(whole) // 3, len(whole) // 3 + 4000, 400):
        whole[place : place + 40] = b"\xff" * 40
    path.write_bytes(whole)
    return path


def cut(path: Path) -> Path:
    """A video that ends before it says it does."""
    whole = write_video(path, Clip(num_frames=60, container_options={"movflags": "+faststart"})).read_bytes()
    path.write_bytes(whole[: len(whole) * 7 // 10])
    return path


@pytest.mark.parametrize(
    ("name", "make", "rate_hz"),
    [
        pytest.param("a.mp4", write_video, None, id="mp4"),
        pytest.param("a.mkv", write_video, None, id="mkv"),
        pytest.param("a.ts", write_video, None, id="transport stream"),
        pytest.param("a.h264", write_video, None, id="without a clock"),
        pytest.param("a.mp4", lambda path: write_video(path, Clip(rotation=90, has_audio=True)), None, id="turned"),
        pytest.param("a.mp4", lambda path: write_video(path, Clip(fps=120, num_frames=90, codec_options=FAST)), 30,
                     id="fast"),
        pytest.param("a.mp4", lambda path: write_video(path, Clip(times_s=[0.0, 0.04, 0.5, 0.51, 3.0])), None,
                     id="variable times"),
        pytest.param("hurt.mp4", hurt, None, id="broken packets"),
        pytest.param("cut.mp4", cut, None, id="cut off"),
        pytest.param("a.mp4", lambda path: write_video(path, Clip(times_s=[0.0, 0.1, 0.2, 7.0, 7.1])), None, id="gap"),
        pytest.param("Übung 見本 🎬.mp4", write_video, None, id="name beyond ASCII"),
        pytest.param(os.fsdecode(b"\xdcbung.mp4"), lambda path: write_video(path.with_name("a.mp4")).rename(path), None,
                     id="name in Latin-1"),
    ],
)  # fmt: skip
def test_isolated_source_gives_what_the_file_source_gives(
    tmp_path: Path, name: str, make: Callable[[Path], Path], rate_hz: float | None
) -> None:
    path = make(tmp_path / name)

    with FileSource(path, rate_hz=rate_hz) as direct, IsolatedFileSource(path, rate_hz=rate_hz) as isolated:
        expected, images, _ = read(direct)
        found, found_images, _ = read(isolated)

    assert found == expected
    assert len(found_images) == len(images) > 1
    assert all(np.array_equal(*pair) for pair in zip(found_images, images, strict=True))


@pytest.mark.parametrize(
    ("content", "limits"),
    [
        pytest.param(None, SourceLimits(), id="absent"),
        pytest.param(b"", SourceLimits(), id="empty"),
        pytest.param(b"hello\n" * 500, SourceLimits(), id="text"),
        pytest.param(b"\x00\x00\x00\x20ftypisom" + b"\xff" * 2000, SourceLimits(), id="only begins like a video"),
        pytest.param("a video", SourceLimits(max_pixels=64 * 48 - 1), id="too many pixels"),
        pytest.param("a video", SourceLimits(max_duration_s=1.0), id="too long"),
    ],
)
def test_isolated_source_refuses_with_the_error_that_the_file_source_raises(
    tmp_path: Path, content: bytes | str | None, limits: SourceLimits
) -> None:
    path = tmp_path / "a.mp4"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        write_video(path)

    with pytest.raises(SourceError) as expected:
        FileSource(path, limits)
    with pytest.raises(SourceError) as found:
        IsolatedFileSource(path, limits)

    assert type(found.value) is type(expected.value)
    assert (found.value.code, str(found.value)) == (expected.value.code, str(expected.value))


@pytest.mark.parametrize(
    ("name", "make"),
    [
        pytest.param("folder.mp4", Path.mkdir, id="folder"),
        pytest.param("pipe.mp4", os.mkfifo, id="named pipe"),
        pytest.param(os.fsdecode(b"\xdcbung.mp4"), lambda path: path.write_text("hello"), id="text, Latin-1 name"),
    ],
)
def test_isolated_source_refuses_what_is_no_file_as_the_file_source_does(
    tmp_path: Path, name: str, make: Callable[[Path], object]
) -> None:
    make(tmp_path / name)

    with pytest.raises(SourceError) as expected:
        FileSource(tmp_path / name)
    with pytest.raises(SourceError) as found:
        IsolatedFileSource(tmp_path / name)

    assert (found.value.code, str(found.value)) == (expected.value.code, str(expected.value))


def test_isolated_source_refuses_on_the_way_as_the_file_source_does(tmp_path: Path) -> None:
    path, limits = write_video(tmp_path / "raw.h264", Clip(fps=10)), SourceLimits(max_duration_s=0.2)

    with FileSource(path, limits) as direct, IsolatedFileSource(path, limits) as isolated:
        expected, _, error = read(direct)
        found, _, found_error = read(isolated)

    assert isinstance(found_error, SourceTooLarge)
    assert (found, str(found_error)) == (expected, str(error))


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("segfault", "crashed on it (SIGSEGV)"),
        ("abort", "crashed on it (SIGABRT)"),
        ("killed", "was killed"),
        ("exit", "ended with status 3"),
        ("stopped", "no picture for 3 s"),
        ("hang", "no picture for 3 s"),
        ("half a message", "no picture for 3 s"),
        ("hang up", "hung up"),
        ("allocate", "more than 2048 MiB of memory"),
        ("raise", "KeyError while it was decoded"),
        ("not a message", "makes no sense"),
        ("endless message", "makes no sense"),
        ("deep message", "makes no sense"),
        ("no such place", "makes no sense"),
        ("negative place", "makes no sense"),
        ("too large a picture", "makes no sense"),
        ("picture without pixels", "makes no sense"),
        ("negative size", "makes no sense"),
        ("fields missing", "fields of a frame"),
        ("wrong type", "fields of a frame"),
        ("opened twice", "makes no sense"),
    ],
)
def test_decoder_that_goes_wrong_becomes_an_error_with_a_code(tmp_path: Path, fault: str, text: str) -> None:
    path, limits = write_video(tmp_path / "film.mp4"), DecoderLimits(stall_s=STALL_S)
    source = IsolatedFileSource(path, decoder=limits, program=bad(fault))
    frames = iter(source)
    first = [next(frames).index, next(frames).index]

    with pytest.raises(DecoderFailed) as caught:
        next(frames)

    assert first == [0, 1]
    assert caught.value.code == "decoder_failed"
    assert text in str(caught.value)
    assert str(caught.value).startswith("film.mp4: ")
    assert list(source) == []


def test_decoder_that_takes_too_much_processor_time_is_ended(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mp4")
    limits = DecoderLimits(start_cpu_s=2.0, cpu_s_per_media_s=0.0)

    with (
        IsolatedFileSource(path, decoder=limits, program=bad("spin")) as source,
        pytest.raises(DecoderFailed, match="more processor time"),
    ):
        list(source)


@pytest.mark.parametrize("memory_mib", [4, 32])
def test_decoder_without_memory_says_so_and_does_not_blame_the_file(tmp_path: Path, memory_mib: int) -> None:
    path = write_video(tmp_path / "large.mp4", Clip(size_wh=(1920, 1080), num_frames=20))

    with (
        pytest.raises(DecoderFailed, match=f"more than {memory_mib} MiB"),
        IsolatedFileSource(path, decoder=DecoderLimits(memory_bytes=memory_mib << 20)) as source,
    ):
        list(source)


def test_decoder_opens_no_file_but_the_video(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4")

    with (
        IsolatedFileSource(path, program=bad("open a file")) as source,
        pytest.raises(SourceError, match="Too many open files"),
    ):
        list(source)


def test_decoder_is_given_no_secret_and_no_descriptor_of_its_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTOGRAM_MQTT_URL", "mqtt://user:password@broker")
    path = write_video(tmp_path / "a.mp4")
    with path.open("rb") as file:
        os.set_inheritable(file.fileno(), True)
        errors = []
        for fault in ("environment", "descriptors"):
            with IsolatedFileSource(path, program=bad(fault)) as source, pytest.raises(SourceError) as caught:
                list(source)
            errors.append(str(caught.value))

    variables, descriptors = errors[0].split(), errors[1].split()
    assert "PYTHONPATH" in variables
    assert not [name for name in variables if name.startswith("ACTOGRAM")]
    # Three standard ones, socket, memory, its mapping, the status that tells of memory, the video.
    assert len(descriptors) <= 8


def test_isolated_source_hands_out_no_more_frames_than_asked_for(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", Clip(num_frames=12))

    with (
        IsolatedFileSource(path, decoder=DecoderLimits(frames_max=5)) as source,
        pytest.raises(SourceTooLong, match=r"a\.mp4 has over 5 frames"),
    ):
        list(source)
    with IsolatedFileSource(path, decoder=DecoderLimits(frames_max=12)) as source:
        num_frames = len(list(source))

    assert num_frames == 12


def test_decoder_fills_no_place_that_was_not_given_back(tmp_path: Path) -> None:
    path, limits = write_video(tmp_path / "a.mp4", Clip(num_frames=12)), DecoderLimits(num_places=2, stall_s=STALL_S)
    order = Order(str(path), None, SourceLimits(), limits)
    decoder = DecoderProcess("a.mp4", order, lambda: False, DECODER)
    opened, first, second = decoder.receive(), decoder.receive(), decoder.receive()

    with pytest.raises(DecoderFailed, match="no picture"):
        decoder.receive()
    assert isinstance(first, PictureReady)
    decoder.take(first)
    third = decoder.receive()
    decoder.end()

    assert opened.kind == "opened"
    assert [each.place for each in (first, second, third) if isinstance(each, PictureReady)] == [0, 1, 0]


def test_frames_stay_as_they_are_when_their_places_are_used_again(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", Clip(num_frames=12))

    with IsolatedFileSource(path, decoder=DecoderLimits(num_places=1)) as isolated, FileSource(path) as direct:
        kept, expected = list(isolated), list(direct)

    assert all(np.array_equal(one.image, other.image) for one, other in zip(kept, expected, strict=True))
    assert all(frame.image.flags.writeable and frame.image.flags.c_contiguous for frame in kept)


def test_isolated_source_may_be_closed_twice_and_gives_nothing_afterwards(tmp_path: Path) -> None:
    source = IsolatedFileSource(write_video(tmp_path / "a.mp4"))
    first = next(iter(source))

    source.close()
    source.close()

    assert first.index == 0
    assert list(source) == []


def test_closing_ends_the_decoder_at_once_while_another_thread_waits_for_it(tmp_path: Path) -> None:
    source = IsolatedFileSource(write_video(tmp_path / "a.mp4"), program=bad("hang"))
    frames: list[Frame] = []
    thread = threading.Thread(target=lambda: frames.extend(source))
    thread.start()
    while len(frames) == 0 and source.counts.frames < 2:
        time.sleep(0.01)

    started_s = time.monotonic()
    source.close()
    thread.join()

    assert time.monotonic() - started_s < 5
    assert len(frames) <= 2


def test_cancelling_ends_the_wait_for_a_decoder_that_is_stuck(tmp_path: Path) -> None:
    path, is_cancelled = write_video(tmp_path / "a.mp4"), threading.Event()
    with IsolatedFileSource(path, is_cancelled=is_cancelled.is_set, program=bad("stopped")) as source:
        frames = iter(source)
        next(frames), next(frames)
        threading.Timer(0.3, is_cancelled.set).start()

        with pytest.raises(AnalysisCancelled):
            next(frames)


def test_cancelling_ends_the_wait_for_a_file_that_never_opens(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4")

    with pytest.raises(AnalysisCancelled):
        IsolatedFileSource(
            path, is_cancelled=lambda: True, program=(sys.executable, "-c", "import time; time.sleep(600)")
        )


def test_program_that_cannot_be_run_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        IsolatedFileSource(write_video(tmp_path / "a.mp4"), program=(str(tmp_path / "absent"),))


def test_decoder_lives_on_when_the_thread_that_opened_it_ends(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", Clip(num_frames=30))
    opened: list[IsolatedFileSource] = []
    thread = threading.Thread(target=lambda: opened.append(IsolatedFileSource(path)))
    thread.start()
    thread.join()

    with opened[0] as source:
        num_frames = len(list(source))

    assert num_frames == 30


def test_many_sources_are_read_side_by_side(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", Clip(num_frames=20))
    found: list[int] = []

    def work() -> None:
        with IsolatedFileSource(path) as source:
            found.append(len(list(source)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [20] * 4


@pytest.mark.parametrize("fault", ["hang", "spin", "stopped"])
def test_decoder_does_not_outlive_a_parent_that_is_killed(tmp_path: Path, fault: str) -> None:
    path = write_video(tmp_path / "a.mp4")
    code = (
        "import sys\nfrom pathlib import Path\nfrom pipelines.stream.sources import IsolatedFileSource\n"
        "source = IsolatedFileSource(Path(sys.argv[1]), program=sys.argv[2:])\n"
        "frames = iter(source)\nnext(frames), next(frames)\nprint(source.decoder_pid, flush=True)\nnext(frames)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(path), *bad(fault)], stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert parent.stdout is not None
    decoder_pid = int(parent.stdout.readline())
    time.sleep(0.3)  # it goes wrong

    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()

    assert ends_within(decoder_pid, 10)
