"""Real applications on a loopback port, in front of real plugins."""
