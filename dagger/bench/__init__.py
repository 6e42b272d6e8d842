"""Benchmarks: what `dagger bench` measures."""
