// The part of the LLVM 19 C API that mosc uses. The headers beside this one only forward to the
// installed ones: LLVM's own headers include each other as "llvm-c/...", and this folder is on the
// search path of every importer.
#pragma once
#if !__has_include("/usr/lib/llvm-19/include/llvm-c/Core.h")
#error "LLVM 19 development files are missing: run tools/setup (apt-get install llvm-19-dev)"
#endif
#include "llvm-c/Analysis.h"
#include "llvm-c/BitReader.h"
#include "llvm-c/BitWriter.h"
#include "llvm-c/Core.h"
#include "llvm-c/DebugInfo.h"
#include "llvm-c/Error.h"
#include "llvm-c/IRReader.h"
#include "llvm-c/LLJIT.h"
#include "llvm-c/LLJITUtils.h"
#include "llvm-c/Object.h"
#include "llvm-c/Orc.h"
#include "llvm-c/OrcEE.h"
#include "llvm-c/Support.h"
#include "llvm-c/Target.h"
#include "llvm-c/TargetMachine.h"
#include "llvm-c/Transforms/PassBuilder.h"
