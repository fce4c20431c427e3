"""The names of the networks in build.py, for help texts: that table needs torch."""

NETWORK_NAMES = (
    "stgcn",
    "stgcn++",
    "aagcn",
    "msg3d",
    "ctrgcn",
    "dgstgcn",
    "posec3d-slowonly",
    "posec3d-slowonly-346",
    "posec3d-c3d",
    "posec3d-x3d",
    "rgbpose",
    "potion",
    "stf-stgcn++",
    "stf-msg3d",
    "slnl-rfa",
    "tcn",
)
