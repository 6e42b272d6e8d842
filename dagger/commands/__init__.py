"""The commands of `dagger`, a module each: `Options`, `main(options)` and perhaps `starting(arguments)`."""
