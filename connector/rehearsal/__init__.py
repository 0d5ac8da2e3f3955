"""Plays VTEX's homologation test suite against a connector, before VTEX does.

The cases come from VTEX's guide "Payment Provider Homologation". VTEX's public sample connectors
fill the gaps of its requests. The answers are checked against the Payment Provider Protocol. The
configuration flow is not in VTEX's suite; here it is played as VTEX and as a merchant's browser.
Any base URL can be rehearsed, because this package uses only `domain` of the connector's own code.
"""
