"""What can go wrong in models.

ModelError
├── ModelUnknown          a name that is not in the registry
├── OptionInvalid         an option that a network does not have, or a value that it cannot take
├── RegistryInvalid       a registry entry with a missing or wrong value
├── WeightsMissing        a file that is neither in the cache nor at any of its sources
├── WeightsCorrupt        a file whose sha256 is not the registry's
├── ContractMismatch      a network whose inputs or outputs are not what its entry says
├── CheckpointMismatch    a checkpoint whose tensors do not fit the network
├── ExportMismatch        an exported graph that does not compute what the network computes
├── LayoutUnknown         a joint layout that layouts.py does not define, or one that lacks joints that are needed
├── LayoutNotServed       a network whose joints the pose stage cannot give: of hands, in space, or unknown to it
├── FolderUnwritable      a folder that an exported, imported or fused model cannot be written to
├── NetworksFull          more networks at once than a worker may hold
└── DeviceUnavailable     a device that the runtime cannot use
"""


class ModelError(Exception):
    """Any failure of models; `code` is stable and may be shown to clients."""

    code = "model_error"


class ModelUnknown(ModelError):
    """A name that is not in the registry."""

    code = "model_unknown"


class OptionInvalid(ModelError):
    """An option that a network does not have, or a value that it cannot take."""

    code = "option_invalid"


class RegistryInvalid(ModelError):
    """A registry entry with a missing or wrong value: a fault of the file, not of the user."""

    code = "registry_invalid"


class WeightsMissing(ModelError):
    """A weight file that is neither in the cache nor at any of its sources."""

    code = "weights_missing"


class WeightsCorrupt(ModelError):
    """A weight file whose sha256 is not the registry's."""

    code = "weights_corrupt"


class ContractMismatch(ModelError):
    """A network whose inputs or outputs are not what its entry says."""

    code = "contract_mismatch"


class CheckpointMismatch(ModelError):
    """A checkpoint whose tensors do not fit the network."""

    code = "checkpoint_mismatch"


class ExportMismatch(ModelError):
    """An exported graph that does not compute what the network computes."""

    code = "export_mismatch"


class LayoutUnknown(ModelError):
    """A joint layout that layouts.py does not define, or one that lacks joints that are needed."""

    code = "layout_unknown"


class LayoutNotServed(ModelError):
    """A network whose joints the pose stage cannot give: of hands, in space, or without a counterpart."""

    code = "layout_not_served"


class FolderUnwritable(ModelError):
    """A folder that an exported, imported or fused model cannot be written to."""

    code = "folder_unwritable"


class NetworksFull(ModelError):
    """More detectors and pose estimators at once than a worker may hold."""

    code = "networks_full"


class DeviceUnavailable(ModelError):
    """A device that the runtime cannot use."""

    code = "device_unavailable"
