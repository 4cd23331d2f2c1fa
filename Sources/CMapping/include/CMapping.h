// What reading and replacing files needs from C: a handler for mapped files that are cut short while they
// are read, and a call of Linux that Swift does not see.
#pragma once

#include <stddef.h>

// From now on, touching bytes of this mapping that the file no longer has ends the process with a
// message that names the file, and status 1. The path is copied.
void mapping_register(const void *start, size_t size, const char *path);

// Forgets a mapping that goes away.
void mapping_forget(const void *start);

// Lets two paths of a disk change places at once; 0, or -1 with errno, also where the file system
// cannot do it.
int exchange_paths(const char *one, const char *other);

// Renames a file unless something has the new name; 0, or -1 with errno, which is then EEXIST.
int place_new(const char *from, const char *to);
