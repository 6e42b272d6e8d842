"""The expert: reasons by the scenario's rule and drives its decision."""
