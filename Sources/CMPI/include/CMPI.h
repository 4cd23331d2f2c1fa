// The part of MPI that mosc uses, found at run time: no header and no library is needed to build, and one
// program works with Open MPI, MPICH and libraries of the MPI 5 ABI.
#ifndef CMPI_H
#define CMPI_H

#include <stddef.h>
#include <stdint.h>

// Which constants a library has.
typedef enum { MOSC_MPI_OPEN_MPI = 1, MOSC_MPI_MPICH = 2, MOSC_MPI_STANDARD = 3 } mosc_mpi_abi;

// A transfer that may not be done: an int in some libraries, a pointer in others.
typedef struct { uint64_t bits; } mosc_mpi_request;

// Loads a library; the first that is loaded stays. Returns NULL, or why it cannot be used.
const char *mosc_mpi_load(const char *name);

// The constants of the library that is loaded.
mosc_mpi_abi mosc_mpi_kind(void);

// Joins the other processes. Returns NULL, or what failed.
const char *mosc_mpi_begin(int *rank, int *size);

// The name and version that the library gives itself.
void mosc_mpi_version(char *text, size_t length);

// These return NULL, or what failed. Memory must live until the transfer is done.
const char *mosc_mpi_send(const void *bytes, int count, int to, int tag, mosc_mpi_request *request);
const char *mosc_mpi_receive(void *bytes, int count, int from, int tag, mosc_mpi_request *request);
const char *mosc_mpi_test(mosc_mpi_request *request, int *is_done);
const char *mosc_mpi_probe(int from, int tag, int *is_there);

// Leaves; every transfer must be done.
void mosc_mpi_end(void);

// Ends every process of the job.
void mosc_mpi_abort(int status);

#endif
