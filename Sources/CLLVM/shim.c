// SwiftPM wants one source file in a C target; everything else comes from libLLVM.
#include "CLLVM.h"
