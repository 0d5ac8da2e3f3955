"""Plays VTEX's homologation test suite against a connector, before VTEX does.

The cases are those of VTEX's guide "Payment Provider Homologation"; what its requests leave out is
taken from VTEX's public sample connectors. Answers are checked against the Payment Provider
Protocol. Any base URL can be rehearsed: of the connector's own code only `domain` is used here.
"""
