"""The commands of `dagger`, a module each, with `Options`, `main` and optionally `starting(arguments)`."""
