"""Scenarios that come with the package; `scenarios.spec.load_scenario` reads them by name."""
