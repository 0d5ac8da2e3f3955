"""What VTEX asks for, done at the companies."""
