"""Builders and simulators that tests of several kinds share."""
