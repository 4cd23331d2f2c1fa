#define _GNU_SOURCE
#include "CMapping.h"

#include <fcntl.h>
#include <stdio.h>

int exchange_paths(const char *one, const char *other) {
  return renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
}
