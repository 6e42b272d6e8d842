"""Reading files: YAML and XML that remember their lines."""
