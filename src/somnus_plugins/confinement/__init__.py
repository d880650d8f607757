"""Applying and observing what the kernel enforces on a process.

Admits system calls, their tables, and what reads their effect back. Standard library only: it runs in a freshly forked
child before anything else does, and knows nothing of messages, manifests or plugins.
"""
