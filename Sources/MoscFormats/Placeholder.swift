// Placeholder until the first file of MoscFormats lands.
