"""`actogram evaluate`: handed over to the training package."""

from service.commands.handover import handed_over, with_data

command = handed_over("evaluate", "Measure a network on a skeleton data set.", with_data)
