#include "COpenBLAS.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static void *libraries[2];
static char problem[512];

// Callers work on several matrices at once, so the library gets one thread. It reads this when it is loaded;
// the environment is changed before main, where no other thread reads it.
__attribute__((constructor)) static void use_one_thread(void) { setenv("OPENBLAS_NUM_THREADS", "1", 1); }

static void load(void) {
  const char *names[2] = {"libopenblas.so.0", "liblapacke.so.3"};
  for (int i = 0; i < 2; i++) {
    libraries[i] = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    // Some systems have both in one file.
    if (!libraries[i] && !(i == 1 && dlsym(libraries[0], "LAPACKE_dposv"))) {
      snprintf(problem, sizeof problem, "%s", dlerror());
      return;
    }
  }
}

const char *openblas_load(void) {
  pthread_once(&once, load);
  return problem[0] ? problem : NULL;
}

static void *find(const char *name) {
  const char *failure = openblas_load();
  void *function = NULL;
  for (int i = 0; i < 2 && !failure && !function; i++)
    if (libraries[i]) function = dlsym(libraries[i], name);
  if (function) return function;
  fprintf(stderr, "error: %s\n", failure ? failure : name);
  _exit(1);
}

// The library's function of the same name as the one that asks.
#define LIBRARY(name)                                                        \
  ({                                                                         \
    static _Atomic(void *) known;                                            \
    void *function = atomic_load_explicit(&known, memory_order_acquire);     \
    if (!function) atomic_store(&known, function = find(#name));             \
    (__typeof__(&name))function;                                             \
  })

char *openblas_get_config(void) { return LIBRARY(openblas_get_config)(); }

void cblas_dgemm(const enum CBLAS_ORDER order, const enum CBLAS_TRANSPOSE a_form,
                 const enum CBLAS_TRANSPOSE b_form, const blasint m, const blasint n, const blasint k,
                 const double alpha, const double *a, const blasint a_stride, const double *b,
                 const blasint b_stride, const double beta, double *c, const blasint c_stride) {
  LIBRARY(cblas_dgemm)
  (order, a_form, b_form, m, n, k, alpha, a, a_stride, b, b_stride, beta, c, c_stride);
}

double cblas_ddot(const blasint n, const double *x, const blasint x_step, const double *y,
                  const blasint y_step) {
  return LIBRARY(cblas_ddot)(n, x, x_step, y, y_step);
}

double cblas_dnrm2(const blasint n, const double *x, const blasint step) {
  return LIBRARY(cblas_dnrm2)(n, x, step);
}

void cblas_daxpy(const blasint n, const double alpha, const double *x, const blasint x_step, double *y,
                 const blasint y_step) {
  LIBRARY(cblas_daxpy)(n, alpha, x, x_step, y, y_step);
}

lapack_int LAPACKE_dposv(int layout, char triangle, lapack_int n, lapack_int sides, double *a,
                         lapack_int a_stride, double *b, lapack_int b_stride) {
  return LIBRARY(LAPACKE_dposv)(layout, triangle, n, sides, a, a_stride, b, b_stride);
}

lapack_int LAPACKE_dsyevd(int layout, char job, char triangle, lapack_int n, double *a, lapack_int stride,
                          double *values) {
  return LIBRARY(LAPACKE_dsyevd)(layout, job, triangle, n, a, stride, values);
}

lapack_int LAPACKE_dgesdd(int layout, char job, lapack_int m, lapack_int n, double *a, lapack_int a_stride,
                          double *s, double *u, lapack_int u_stride, double *vt, lapack_int vt_stride) {
  return LIBRARY(LAPACKE_dgesdd)(layout, job, m, n, a, a_stride, s, u, u_stride, vt, vt_stride);
}
