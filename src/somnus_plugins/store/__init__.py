"""The one way to durable storage.

Admits what writes so that a crash at any instruction leaves the old or the new state, never something between.
"""
