"""Empty: `dagger.evaluation` has the code of suites."""
