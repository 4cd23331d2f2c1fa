// The few functions of OpenBLAS and LAPACKE that fusing needs, by their own names. The libraries are loaded
// when the first of them is called, not with the program: OpenBLAS starts a thread per processor as soon as
// it is loaded, which commands that need no algebra would carry along.
#pragma once

#include <cblas.h>
#include <lapacke.h>

// Loads the libraries; NULL, or what is wrong. Functions that are called without them end the process.
const char *openblas_load(void);
