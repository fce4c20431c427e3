"""The flow of frames (stream) and the flow of training (training). May import models."""
