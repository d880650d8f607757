"""What both sides of the boundary speak; hostile bytes end here.

Admits frames, their codec, the table of methods, the peer state machine and its transports. Knows nothing of plugins,
hosts or permissions' meaning; imports msgspec and the standard library only.
"""
