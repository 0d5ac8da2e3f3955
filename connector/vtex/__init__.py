"""The side that calls us: VTEX's Payment Provider Protocol."""
