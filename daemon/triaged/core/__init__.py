"""The pure heart: values in, values out; no I/O, clock, randomness or configuration."""
