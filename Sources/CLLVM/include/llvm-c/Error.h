#include "/usr/lib/llvm-19/include/llvm-c/Error.h"
