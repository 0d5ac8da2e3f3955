"""Values and rules of payments. No I/O and no libraries."""
