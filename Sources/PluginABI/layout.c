#include "datong_plugin.h"
