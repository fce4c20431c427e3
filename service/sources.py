"""The address policies that the settings give: for the videos of jobs, for cameras, webhooks and the broker."""

from pipelines.addresses.policy import AddressPolicy
from service.settings import Settings


def job_policy(settings: Settings) -> AddressPolicy:
    """What clients may name as the video of a job."""
    return AddressPolicy(
        settings.source_schemes, settings.source_networks, settings.source_folders, setting="ACTOGRAM_SOURCE"
    )


def camera_policy(settings: Settings) -> AddressPolicy:
    """What clients may name as a camera."""
    return AddressPolicy(
        settings.stream_schemes, settings.stream_networks, settings.source_folders, setting="ACTOGRAM_STREAM"
    )


def webhook_policy(settings: Settings) -> AddressPolicy:
    """Where messages may be posted."""
    return AddressPolicy(frozenset({"http", "https"}), settings.webhook_networks, setting="ACTOGRAM_WEBHOOK")


def broker_policy() -> AddressPolicy:
    """Where the broker may lie: whoever writes the settings may name any network, but no metadata service."""
    return AddressPolicy(frozenset(), frozenset({"public", "private", "loopback"}))
