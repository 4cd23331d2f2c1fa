#include "CRelax.h"
