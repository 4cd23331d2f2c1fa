// Placeholder until the first file of MoscCodegen lands.
