#include "/usr/lib/llvm-19/include/llvm-c/DebugInfo.h"
