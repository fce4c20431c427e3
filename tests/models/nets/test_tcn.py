import pytest
import torch

from models.nets.tcn import TCN


@pytest.mark.parametrize("shape", [(2, 1, 30, 13, 5), (1, 2, 17, 13, 5)])
def test_tcn_gives_logits_for_any_number_of_frames_and_people(shape: tuple[int, ...]) -> None:
    network = TCN(13, 5, 7, base_channels=16).eval()

    assert network(torch.zeros(shape)).shape == (shape[0], 7)


def test_tcn_averages_people() -> None:
    network = TCN(13, 5, 7, base_channels=16).eval()
    one = torch.randn(3, 1, 30, 13, 5, generator=torch.Generator().manual_seed(0))

    torch.testing.assert_close(network(one.repeat(1, 2, 1, 1, 1)), network(one))
