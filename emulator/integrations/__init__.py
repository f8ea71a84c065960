"""Reads and writes files that other frameworks exchange with this one. Imports `common` alone."""
