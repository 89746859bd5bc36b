"""Alertmanagers' own API: what they hold, and what they keep quiet about."""
