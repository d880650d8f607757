"""Brings the rooms below together: what is installed, what runs, who may call, and who is the host of a home.

Admits decisions about plugins as a whole. `PluginHost` in `plugin_host` is the only place where concrete classes of
several rooms meet.
"""
