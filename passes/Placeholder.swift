// Placeholder until the first file of MoscPasses lands.
