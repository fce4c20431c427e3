"""Cameras before they are streams: tried at an address, searched for in the network, asked what they offer."""
