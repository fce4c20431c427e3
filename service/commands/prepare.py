"""`actogram prepare`: handed over to the training package."""

from service.commands.handover import handed_over, with_weights

command = handed_over(
    "prepare", "Turn videos or skeleton files into a skeleton data set.", with_weights, needs_torch=False
)
