"""The parts of simulated radiation fields: density, radiative transfer, colours."""
