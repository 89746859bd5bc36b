"""Why anything happened, or did not: recomputed from what the store keeps (ADR 11)."""
