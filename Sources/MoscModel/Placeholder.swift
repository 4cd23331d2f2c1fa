// Placeholder until the first file of MoscModel lands.
