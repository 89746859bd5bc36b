"""Channels: how people are told, one module for each kind of service."""
