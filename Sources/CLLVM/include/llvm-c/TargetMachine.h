#include "/usr/lib/llvm-19/include/llvm-c/TargetMachine.h"
