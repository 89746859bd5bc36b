"""The door: a process of its own in front of the daemon, which takes requests and answers known alerts by itself."""
