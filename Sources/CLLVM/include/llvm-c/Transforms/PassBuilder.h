#include "/usr/lib/llvm-19/include/llvm-c/Transforms/PassBuilder.h"
