#include "/usr/lib/llvm-19/include/llvm-c/Deprecated.h"
