"""Which blocks of a network widen or halve the frames: what a choice of them must keep to. Without torch."""


def require_stages(num_stages: int, **chosen: tuple[int, ...]) -> None:
    """Raise ValueError where a choice, known by its name, holds a block (from 1 on) that is not there, or one twice."""
    for key, stages in chosen.items():
        strange = [stage for stage in stages if not 1 <= stage <= num_stages]
        if strange:
            raise ValueError(f"{key} names stage {strange[0]}, but num_stages is {num_stages}")
        if len(set(stages)) < len(stages):
            raise ValueError(f"{key} names a stage twice: {list(stages)}")
