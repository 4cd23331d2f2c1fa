#include "/usr/lib/llvm-19/include/llvm-c/BitWriter.h"
