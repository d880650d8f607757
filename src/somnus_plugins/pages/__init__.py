"""What every interface with web pages shares: problems, hosts, sessions, headers, templates, assets.

Admitted is what neither knows a plugin nor a host of plugins: a marketplace shows its pages with the same rules. All of
it speaks ASGI and needs no framework.
"""
