"""The parts of the web interface, and all of it in front of a host that is played."""
