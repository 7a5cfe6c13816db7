"""The parts of simulated galaxies: a population, its light, a telescope."""
