#include "datong_worker.h"
