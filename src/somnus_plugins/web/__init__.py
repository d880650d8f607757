"""The host on HTTP: any FastAPI application grows by the plugins' routes and tools, an admin API and one page.

Admitted is what translates between HTTP and `PluginHost`. No rule about plugins lives here; what a request must not
bring to a plugin, and what an answer must not bring to a browser, does.
"""
