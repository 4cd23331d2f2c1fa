// Placeholder until the first file of MoscRuntime lands.
