#include "/usr/lib/llvm-19/include/llvm-c/OrcEE.h"
