"""`actogram export`: handed over to the training package."""

from service.commands.handover import handed_over, with_data

command = handed_over("export", "Convert a trained network to ONNX and check that the two agree.", with_data)
