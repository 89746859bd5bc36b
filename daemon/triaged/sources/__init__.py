"""Bytes in, alerts out: one module per wire format."""
