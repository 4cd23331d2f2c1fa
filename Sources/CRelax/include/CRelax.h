// What the thread pool needs from C: macros and GNU functions that Swift does not see.
#pragma once

// The processor's "I am spinning" hint.
static inline void cpu_relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// The number of processors this process may run on.
int usable_processors(void);

// One more than the largest processor number there can be.
int processor_limit(void);

// Whether this process may run on the processor of that number.
int is_processor_usable(int index);
