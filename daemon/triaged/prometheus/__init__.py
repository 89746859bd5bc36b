"""Prometheus, or what speaks as it does: its queries are asked."""
