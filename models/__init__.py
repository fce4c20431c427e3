"""Networks, graphs, weights and runtimes. Imports nothing of ours."""

import os

# The official onnxruntime reports to its maker from 1.31 on, and reads this when it is loaded: a switch thrown later
# comes after a device identifier was written and a first message queued. Pictures of people are watched here; what
# runs, where and how often is nobody else's business. Who wants it sets the variable to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
