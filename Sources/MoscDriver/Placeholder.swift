// Placeholder until the first file of MoscDriver lands.
