"""`actogram prepare`: handed over to the training package."""

from service.commands.handover import handed_over, with_weights

command = handed_over("prepare", "Make a skeleton set from a folder of videos.", with_weights, needs_torch=False)
