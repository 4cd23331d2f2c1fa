// Placeholder until the first file of MoscSample lands.
