#include "/usr/lib/llvm-19/include/llvm-c/ExternC.h"
