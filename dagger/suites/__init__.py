"""Suites: what is to be driven, driving it whatever happens, and what it came to. `dagger suite` puts them together."""
