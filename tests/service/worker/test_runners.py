"""What a worker works with: one device per worker where there are several, and each network once for all streams."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from models.errors import DeviceUnavailable
from models.runtime.action import ActionModel
from models.runtime.batched import BatchedDetector, BatchedPose
from models.runtime.device import REHEARSAL
from models.runtime.session import Session
from models.skeleton.layouts import require_layout
from service.settings import load_settings
from service.worker.gauges import BatchSizes
from service.worker.runners import build_runners, load_shared, shared_action, shared_whole, worker_device
from tests.fakes import contract_of
from tests.models.runtime.networks import write_random
from tests.stream_fakes import networks_of


@pytest.mark.parametrize(
    ("device", "process", "expected"),
    [
        ("cpu", "actogram-w3", "cpu"),
        ("cuda:1", "actogram-w3", "cuda:1"),
        ("cuda", "actogram-w0", "cuda:0"),
        ("cuda", "actogram-w3", "cuda:3"),
        ("cuda", "actogram-jobs", "cuda:0"),
        ("cuda,tensorrt,fp16", "actogram-w2", "cuda:2,tensorrt,fp16"),
    ],
)
def test_each_worker_gets_a_device_of_its_own_when_cuda_is_named(device: str, process: str, expected: str) -> None:
    assert worker_device(device, process) == expected


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="has a GPU's onnxruntime")
def test_worker_for_a_gpu_says_what_is_missing_before_it_looks_for_weights(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, device="cuda:0", offline=True)

    with pytest.raises(DeviceUnavailable, match=r"onnxruntime: built without CUDA .*: uninstall onnxruntime"):
        build_runners(settings)


def test_streams_share_one_batcher_per_network_when_they_are_on_a_device() -> None:
    networks, sizes = networks_of(), BatchSizes()

    found = shared_whole(networks, REHEARSAL, sizes)
    with ThreadPoolExecutor(4) as pool:
        windows = list(pool.map(lambda _: found.action(*_window()), range(4)))
    none = shared_whole(networks, "cpu", sizes)

    assert isinstance(found.detector, BatchedDetector)
    assert isinstance(found.pose, BatchedPose)
    assert found.action.labels == networks.action.labels
    np.testing.assert_array_equal(np.concatenate(windows), networks.action(*_window(4)))
    assert none.action is networks.action


def test_batches_of_an_action_network_are_counted_on_a_device() -> None:
    sizes = BatchSizes()

    shared_action(networks_of().action, REHEARSAL, sizes)(*_window())

    assert [(one.labels, one.values) for one in sizes.take()] == [({"stage": "action"}, (1.0,))]


def test_other_action_models_are_warm_before_a_stream_gets_them(tmp_path: Path) -> None:
    path = write_random(tmp_path / "net.onnx", ("batch", 3, 32, 32), {"logits": (3,)})
    session = Session(path, REHEARSAL)
    model = ActionModel(contract_of(), session)

    found = load_shared(lambda name: model, REHEARSAL, BatchSizes(), "other")

    assert len(session.fed_shapes) == len(session.batches)
    assert found.sessions == (session,)


def _window(count: int = 1) -> tuple[np.ndarray, np.ndarray]:
    contract = networks_of().action.contract
    joints = len(require_layout(contract.layout))
    return np.ones((count, contract.num_samples, joints, 3), np.float32), np.ones(
        (count, contract.num_samples), np.bool_
    )
