"""A worker's action models for tests that name none: the default and no other."""

from models.errors import ModelUnknown
from models.runtime.action import ActionModel
from pipelines.stream.build import Networks
from service.worker.action_models import ActionModels


def only(networks: Networks) -> ActionModels:
    """These networks, and no other action model."""

    def load(name: str) -> ActionModel:
        raise ModelUnknown(f"{name}: there is no other model")

    return ActionModels(networks, load)
