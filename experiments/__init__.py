"""Scripts that reproduce the papers, race the peers and run the demo; never installed."""
