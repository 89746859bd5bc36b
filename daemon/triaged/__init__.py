"""triaged: turns alerts into triaged incidents whose GitHub issues stay true."""

from importlib.metadata import version

__version__ = version("triaged")
