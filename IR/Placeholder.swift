// Placeholder until the first file of MoscIR lands.
