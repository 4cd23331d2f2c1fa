#include "/usr/lib/llvm-19/include/llvm-c/Object.h"
