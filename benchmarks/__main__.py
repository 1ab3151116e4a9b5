"""`python -m benchmarks`: what `make bench` runs."""

from benchmarks.simulation import main

raise SystemExit(main())
