"""What comes with the package: the shipped rules, the example configuration, the demo's day."""

from pathlib import Path
from typing import Final

_FOLDER = Path(__file__).parent
RULES: Final = _FOLDER / "rules"
CONFIG: Final = _FOLDER / "config.example.yaml"
DEMO_DAY: Final = _FOLDER / "demo-day.yaml"
