"""Recorded and invented days played to the daemon."""
