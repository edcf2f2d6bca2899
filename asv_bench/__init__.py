"""Benchmarks: ours and the strongest peer, alternately, in one process.

``asv run --config asv_bench/asv.conf.json`` keeps their history; ``python -m
asv_bench`` prints them once as a table and needs nothing but the package.
"""
