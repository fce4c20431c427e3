"""What a contract says, as text for people: what the model is, what is known of it, and what is a default."""

from collections.abc import Iterator

from models.runtime.contract import ActionContract

_STREAM = {"joint_motion": "joint motion", "bone_motion": "bone motion"}


def card_text(contract: ActionContract) -> str:
    """Lines of `name: value`; a value that nobody chose is marked `(default)`."""
    rows = [(name, value, field in contract.defaults) for name, value, field in _rows(contract)]
    lines = [f"{name + ':':14}{value}{' (default)' if is_default else ''}" for name, value, is_default in rows]
    if contract.defaults:
        lines += ["", "What is marked (default) was said neither by the checkpoint nor at import; docs/models.md says"]
        lines += ["why it is so. Import again with options to change it."]
    return "\n".join(lines)


def _rows(contract: ActionContract) -> Iterator[tuple[str, str, str]]:
    """Name, value, and the field of the contract that it comes from."""
    yield "name", contract.name, ""
    yield "task", contract.task, ""
    yield "network", contract.network, ""
    for member in contract.members:
        yield "member", f"{member.folder}, weight {member.weight:g}", ""
    yield "layout", contract.layout, ""
    yield "features", contract.features, ""
    yield "stream", _STREAM.get(contract.stream, contract.stream), "stream"
    if contract.features == "pyskl-2d":
        yield "normalise", contract.normalise, "normalise"
    yield "persons", str(contract.num_persons), "num_persons"
    yield "window", f"{contract.window_s:g} s", "window_s"
    yield "rate", f"{contract.rate_hz:g} Hz", "rate_hz"
    yield "frames", f"{contract.num_frames}, {_sampling(contract)}", "num_frames"
    yield "temperature", f"{contract.temperature:g}", "temperature"
    yield "unknown", _unknown(contract), "unknown"
    yield "rules", _rules(contract), "actions"
    yield "labels", f"{len(contract.labels)}: {', '.join(contract.labels)}", "labels"
    yield "sha256", contract.sha256, ""


def _sampling(contract: ActionContract) -> str:
    if contract.is_continual:
        return "one step per frame"
    return "every sample of the window" if contract.sampling == "resample" else "drawn uniformly from the window"


def _unknown(contract: ActionContract) -> str:
    rule = contract.unknown
    if rule.method == "off":
        return "off"
    return (
        f"probability below {rule.threshold:g}"
        if rule.method == "max_probability"
        else f"energy above {rule.threshold:g}"
    )


def _rules(contract: ActionContract) -> str:
    rules = {rule.model_dump_json(): rule for rule in contract.actions.values()}
    if len(rules) != 1:
        return f"{len(contract.actions)} of their own; see `actogram actions --model`"
    (rule,) = rules.values()
    return (
        f"begins at {rule.threshold:g}, ends below {rule.offset_threshold:g}, sure after {rule.min_duration_s:g} s, "
        f"bridges {rule.merge_gap_s:g} s"
    )
