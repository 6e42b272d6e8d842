"""Suites that come with the package: lists of scenarios; `scenarios.suite.load_suite` reads them by name."""
