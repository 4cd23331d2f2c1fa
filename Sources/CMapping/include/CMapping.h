// What reading mapped files needs from C: a handler for files that are cut short while they are read.
#pragma once

#include <stddef.h>

// From now on, touching bytes of this mapping that the file no longer has ends the process with a
// message that names the file, and status 1. The path is copied.
void mapping_register(const void *start, size_t size, const char *path);

// Forgets a mapping that goes away.
void mapping_forget(const void *start);
