"""The HTTP side: asyncio lives here and nowhere else."""
