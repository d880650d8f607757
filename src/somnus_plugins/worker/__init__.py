"""What runs in a plugin's process: the zygote it is forked from, the loader, dispatch, and the ASGI bridge.

Admits code that runs beside foreign code and holds nothing worth stealing: no secret, no host object, no open file of
the host. FastAPI is imported in `asgi` only.
"""
