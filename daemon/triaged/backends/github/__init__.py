"""Publishes incidents as GitHub issues."""
