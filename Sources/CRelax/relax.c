#define _GNU_SOURCE
#include "CRelax.h"
#include <sched.h>
#include <unistd.h>

int usable_processors(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  long count = sysconf(_SC_NPROCESSORS_ONLN);
  return count > 0 ? (int)count : 1;
}

int processor_limit(void) { return CPU_SETSIZE; }

int is_processor_usable(int index) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (index < 0 || index >= CPU_SETSIZE) return 0;
  return sched_getaffinity(0, sizeof set, &set) == 0 && CPU_ISSET(index, &set);
}
