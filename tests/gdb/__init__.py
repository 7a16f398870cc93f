"""The debugger's server, driven by a client of its own."""
