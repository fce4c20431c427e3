"""`actogram train`: handed over to the training package."""

from service.commands.handover import handed_over, with_data

command = handed_over("train", "Train an action network.", with_data)
