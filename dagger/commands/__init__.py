"""The commands of `dagger`, a module each, with `Options`, `main(options)` and optionally `starting(arguments)`."""
