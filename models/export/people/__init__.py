"""Exporters of other frameworks' detectors and pose networks; each file runs in that framework's own environment.

Each is whole in itself: it imports its framework, torch, onnx, onnxruntime, numpy and the standard library, nothing of
ours, so that it can be copied to wherever the framework is installed.
"""
