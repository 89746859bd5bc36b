"""A month of virtual time: monitoring as it behaves, with outages, and the daemon in the middle of it."""
