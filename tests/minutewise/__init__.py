"""Calendars held against a brute-force oracle that looks at a wall clock every minute."""
