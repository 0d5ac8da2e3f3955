"""VTEX's configuration flow: a merchant connects a company's account to a VTEX store."""
