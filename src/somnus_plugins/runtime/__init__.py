"""Acts on the machine: zygotes, worker processes, their logs and their end.

Admits what starts, watches and ends processes. Knows neither manifests nor policy: whoever calls it has decided.
"""
