"""A connector between VTEX's Payment Provider Protocol and four payment companies."""
