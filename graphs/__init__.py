"""Ground floor: CSR graphs, forests, colourings and one indexed priority queue."""
