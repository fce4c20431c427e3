"""An action network that takes one frame per step and carries what it has seen as a state, per track."""

import numpy as np

from models.arrays import AnyArray, FloatArray
from models.errors import ContractMismatch
from models.runtime.action import ActionModel, Judgement, Network, softmax
from models.runtime.contract import ActionContract
from models.runtime.preprocess import People
from models.skeleton.layouts import require_layout
from models.skeleton.network_input import graph_input_2d


class ContinualModel(ActionModel):
    """The step of a network, and the answer that it gives to a whole window, frame by frame.

    state_size: values of the state of one track. Raises ContractMismatch where the contract names no state.
    """

    def __init__(self, contract: ActionContract, network: Network) -> None:
        super().__init__(contract, network)
        if len(contract.inputs) != 2 or len(contract.outputs) != 2:
            raise ContractMismatch(
                f"{contract.name}: a continual network has frames and state in, logits and state out"
            )
        self._frames, self._state = contract.inputs
        self._layout = require_layout(contract.layout)
        self.state_size = int(self._state.shape[1])

    @property
    def warmup_steps(self) -> int:
        """Steps of a track before its answers mean anything."""
        return self.contract.num_frames

    def step(self, keypoints: FloatArray, size_wh: tuple[int, int], state: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(P, K) scaled logits and the (P, S) next state, of (P, V, 3) joints in pixels and the (P, S) state."""
        values = graph_input_2d(keypoints[:, None], size_wh, self._layout, self.contract.stream)
        frames = np.ascontiguousarray(values[..., : int(self._frames.shape[-1])], np.float32)
        found = self._network.run({self._frames.name: frames, self._state.name: state})
        logits, next_state = (found[name] for name in self.contract.outputs)
        return self._checked(logits, len(keypoints)) / self.contract.temperature, next_state

    def new_state(self, num_tracks: int) -> FloatArray:
        """(P, S) of tracks that have just begun."""
        return np.zeros((num_tracks, self.state_size), np.float32)

    def scaled_logits(self, people: People) -> FloatArray:
        """(B, K) after the last frame of each window, which begins without a past."""
        if people.size_wh is None:
            raise ContractMismatch(f"{self.contract.name}: needs the size of the picture, and none is given")
        answers = [
            self._window(keypoints[0], (round(float(size[0])), round(float(size[1]))))
            for keypoints, size in zip(people.keypoints, people.size_wh, strict=True)
        ]
        return np.concatenate(answers)

    def _window(self, keypoints: AnyArray, size_wh: tuple[int, int]) -> FloatArray:
        state = self.new_state(1)
        for frame in keypoints:
            logits, state = self.step(frame[None], size_wh, state)
        return logits

    def judged(self, scaled: FloatArray) -> Judgement:
        """Probabilities, and what is unknown, of the logits of a step."""
        probabilities = softmax(scaled)
        return Judgement(probabilities, self._is_unknown(scaled, probabilities))
