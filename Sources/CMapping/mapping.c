#include "CMapping.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Mappings beyond these are guarded, too, but their files are not named.
enum { SLOTS = 1024 };

static struct {
  // Written last and cleared first, so that the handler sees whole entries.
  _Atomic(const char *) start;
  size_t size;
  char *path;
} slots[SLOTS];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void say(const char *text) {
  if (write(STDERR_FILENO, text, strlen(text)) < 0) return;
}

// Only functions that are safe in signal handlers.
static void handle(int signal_number, siginfo_t *info, void *context) {
  (void)context;
  const char *address = info->si_addr;
  if (info->si_code == BUS_ADRERR) {
    say("error: ");
    for (int i = 0; i < SLOTS; i++) {
      const char *start = atomic_load(&slots[i].start);
      if (start && address >= start && address < start + slots[i].size) {
        say(slots[i].path);
        say(": ");
        break;
      }
    }
    say("the file was cut short, or its disk failed, while it was read\n");
    _exit(1);
  }
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

static void install(void) {
  struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO};
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, NULL);
}

void mapping_register(const void *start, size_t size, const char *path) {
  pthread_once(&once, install);
  pthread_mutex_lock(&lock);
  for (int i = 0; i < SLOTS; i++) {
    if (atomic_load(&slots[i].start)) continue;
    free(slots[i].path);
    slots[i].path = strdup(path);
    slots[i].size = size;
    if (slots[i].path) atomic_store(&slots[i].start, (const char *)start);
    break;
  }
  pthread_mutex_unlock(&lock);
}

void mapping_forget(const void *start) {
  pthread_mutex_lock(&lock);
  for (int i = 0; i < SLOTS; i++)
    if (atomic_load(&slots[i].start) == (const char *)start) atomic_store(&slots[i].start, NULL);
  pthread_mutex_unlock(&lock);
}
