/* Lock-down of the worker before plugin code runs. */
#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "worker.h"

static int limit(__rlimit_resource_t resource, rlim_t value) {
    struct rlimit old;
    if (getrlimit(resource, &old) != 0) return errno;
    struct rlimit new = {value < old.rlim_max ? value : old.rlim_max, value < old.rlim_max ? value : old.rlim_max};
    return setrlimit(resource, &new) == 0 ? 0 : errno;
}

int worker_confine(void) {
    int error = limit(RLIMIT_CORE, 0);
    if (!error) error = limit(RLIMIT_FSIZE, 0);
    if (!error) error = limit(RLIMIT_NOFILE, OPEN_FILES);
    if (!error) error = limit(RLIMIT_AS, ADDRESS_SPACE_BYTES);
    if (!error && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) error = errno;
    return error;
}
