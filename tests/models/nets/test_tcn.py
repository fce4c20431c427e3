import pytest
import torch

from models.errors import CheckpointMismatch
from models.export.servable import wrap
from models.nets.build import NetworkRequest, require_network
from models.nets.tcn import TCN
from models.skeleton.layouts import require_layout


@pytest.mark.parametrize("shape", [(2, 1, 30, 13, 5), (1, 2, 17, 13, 5)])
def test_tcn_gives_logits_for_any_number_of_frames_and_people(shape: tuple[int, ...]) -> None:
    network = TCN(13, 5, 7, base_channels=16).eval()

    assert network(torch.zeros(shape)).shape == (shape[0], 7)


def test_tcn_averages_people() -> None:
    network = TCN(13, 5, 7, base_channels=16).eval()
    one = torch.randn(3, 1, 30, 13, 5, generator=torch.Generator().manual_seed(0))

    torch.testing.assert_close(network(one.repeat(1, 2, 1, 1, 1)), network(one))


def test_tcn_is_built_to_the_shapes_of_its_checkpoint() -> None:
    network = TCN(13, 5, 7, base_channels=16)
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}

    rebuilt = require_network("tcn").build(NetworkRequest(require_layout("body13"), 7, shapes=shapes))

    rebuilt.load_state_dict(network.state_dict())


def test_tcn_refuses_a_checkpoint_of_another_layout() -> None:
    shapes = {"stem.weight": (16, 65, 1)}

    with pytest.raises(CheckpointMismatch, match="65 values do not divide by 17 joints of coco17"):
        require_network("tcn").build(NetworkRequest(require_layout("coco17"), 7, shapes=shapes))


def test_served_tcn_gives_its_own_logits_where_a_slot_is_empty() -> None:
    entry = require_network("tcn")
    network = entry.build(NetworkRequest(require_layout("body13"), 7, in_channels=5)).eval()
    x = torch.randn(2, 2, 30, 13, 5, generator=torch.Generator().manual_seed(0))
    x[1, 1] = 0

    with torch.no_grad():
        torch.testing.assert_close(wrap(entry, network).module(x), network(x))
