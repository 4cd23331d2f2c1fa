#include "CMPI.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A handle is an int in MPICH and a pointer elsewhere; as an argument, either is one register whose low half
// holds the int.
typedef uintptr_t handle;

static struct {
  void *library;
  mosc_mpi_abi abi;
  handle world, byte, errors_return;
  void *ignore;
  int serialized;
  int (*init)(int *, char ***, int, int *);
  int (*finalize)(void);
  int (*rank)(handle, int *);
  int (*size)(handle, int *);
  int (*version)(char *, int *);
  int (*set_errors)(handle, handle);
  int (*send)(const void *, int, handle, int, int, handle, void *);
  int (*receive)(void *, int, handle, int, int, handle, void *);
  int (*test)(void *, int *, void *);
  int (*probe)(int, int, handle, int *, void *);
  int (*abort)(handle, int);
  int (*error)(int, char *, int *);
} mpi;

static char problem[1024];

static const char *missing(const char *library, const char *name) {
  snprintf(problem, sizeof problem, "%s has no %s", library, name);
  return problem;
}

const char *mosc_mpi_load(const char *name) {
  if (mpi.library) return NULL;
  // Open MPI's own plugins look for its symbols among the global ones.
  void *library = dlopen(name, RTLD_NOW | RTLD_GLOBAL);
  if (!library) {
    snprintf(problem, sizeof problem, "%s", dlerror());
    return problem;
  }
#define FIND(member, symbol)                    \
  *(void **)&mpi.member = dlsym(library, symbol); \
  if (!mpi.member) return missing(name, symbol)
  FIND(init, "MPI_Init_thread");
  FIND(finalize, "MPI_Finalize");
  FIND(rank, "MPI_Comm_rank");
  FIND(size, "MPI_Comm_size");
  FIND(version, "MPI_Get_library_version");
  FIND(set_errors, "MPI_Comm_set_errhandler");
  FIND(send, "MPI_Isend");
  FIND(receive, "MPI_Irecv");
  FIND(test, "MPI_Test");
  FIND(probe, "MPI_Iprobe");
  FIND(abort, "MPI_Abort");
  FIND(error, "MPI_Error_string");
#undef FIND
  int major = -1, minor = -1;
  int (*abi_version)(int *, int *);
  *(void **)&abi_version = dlsym(library, "MPI_Abi_get_version");
  // MPICH 5 has the function in both of its libraries; only that of the standard ABI gives a version.
  if (abi_version) abi_version(&major, &minor);
  void *world = dlsym(library, "ompi_mpi_comm_world");
  if (world) {
    void *byte = dlsym(library, "ompi_mpi_byte"), *errors = dlsym(library, "ompi_mpi_errors_return");
    if (!byte) return missing(name, "ompi_mpi_byte");
    if (!errors) return missing(name, "ompi_mpi_errors_return");
    mpi.abi = MOSC_MPI_OPEN_MPI;
    mpi.world = (handle)world, mpi.byte = (handle)byte, mpi.errors_return = (handle)errors;
    mpi.ignore = NULL, mpi.serialized = 2;
  } else if (major >= 1) {
    mpi.abi = MOSC_MPI_STANDARD;
    mpi.world = 0x101, mpi.byte = 0x247, mpi.errors_return = 0x143;
    mpi.ignore = NULL, mpi.serialized = 2048;
  } else {
    mpi.abi = MOSC_MPI_MPICH;
    mpi.world = 0x44000000, mpi.byte = 0x4c00010d, mpi.errors_return = 0x54000001;
    mpi.ignore = (void *)1, mpi.serialized = 2;
  }
  mpi.library = library;
  return NULL;
}

mosc_mpi_abi mosc_mpi_kind(void) { return mpi.abi; }

static const char *checked(const char *what, int code) {
  if (code == 0) return NULL;
  char text[1024] = "";
  int length = 0;
  mpi.error(code, text, &length);
  snprintf(problem, sizeof problem, "%s: %.900s", what, text[0] ? text : "failed");
  return problem;
}

const char *mosc_mpi_begin(int *rank, int *size) {
  int level;
  const char *failure = checked("MPI_Init_thread", mpi.init(NULL, NULL, mpi.serialized, &level));
  if (!failure) failure = checked("MPI_Comm_set_errhandler", mpi.set_errors(mpi.world, mpi.errors_return));
  if (!failure) failure = checked("MPI_Comm_rank", mpi.rank(mpi.world, rank));
  if (!failure) failure = checked("MPI_Comm_size", mpi.size(mpi.world, size));
  return failure;
}

void mosc_mpi_version(char *text, size_t length) {
  // The largest of all libraries' MPI_MAX_LIBRARY_VERSION_STRING.
  char *whole = calloc(1, 8192 + 1);
  int count = 0;
  if (whole && mpi.version(whole, &count) == 0) snprintf(text, length, "%s", whole);
  else if (length) text[0] = 0;
  free(whole);
}

const char *mosc_mpi_send(const void *bytes, int count, int to, int tag, mosc_mpi_request *request) {
  return checked("MPI_Isend", mpi.send(bytes, count, mpi.byte, to, tag, mpi.world, request));
}

const char *mosc_mpi_receive(void *bytes, int count, int from, int tag, mosc_mpi_request *request) {
  return checked("MPI_Irecv", mpi.receive(bytes, count, mpi.byte, from, tag, mpi.world, request));
}

const char *mosc_mpi_test(mosc_mpi_request *request, int *is_done) {
  return checked("MPI_Test", mpi.test(request, is_done, mpi.ignore));
}

const char *mosc_mpi_probe(int from, int tag, int *is_there) {
  return checked("MPI_Iprobe", mpi.probe(from, tag, mpi.world, is_there, mpi.ignore));
}

void mosc_mpi_end(void) { mpi.finalize(); }

void mosc_mpi_abort(int status) { mpi.abort(mpi.world, status); }
