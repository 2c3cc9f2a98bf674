#include "vault_memory.h"
