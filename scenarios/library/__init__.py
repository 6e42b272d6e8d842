"""Scenarios that come with the package; `scenarios.scenario.load_scenario` reads them by name."""
