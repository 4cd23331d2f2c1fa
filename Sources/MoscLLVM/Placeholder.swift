// Placeholder until the first file of MoscLLVM lands.
