/* datong-worker FD PLUGIN_PATH [REHEARSAL]: one connector in a process of its own. Started by the host only. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "worker.h"

/* Where the conversation is moved to, so that everything above it can be closed in one step. */
enum { CONVERSATION_FD = 3 };

static int complain(const char *what, int error) {
    fprintf(stderr, "datong-worker: %s: %s\n", what, strerror(error));
    return 64;
}

int main(int count, char **arguments) {
    char *end = NULL;
    errno = 0;
    long fd = count >= 3 ? strtol(arguments[1], &end, 10) : -1;
    if (count < 3 || count > 4 || (count == 4 && !rehearse(arguments[3])) || errno || !end || *end || fd < 3 || fd > 1 << 20) {
        fprintf(stderr, "usage: datong-worker FD PLUGIN_PATH (started by datong)\n");
        return 64;
    }
    /* The worker goes with its host, also when the plugin is busy and nobody reads the socket. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return complain("parent-death signal", errno);
    /* Had the host died before that call, its end of the socket would be closed by now. */
    struct pollfd host = {(int)fd, 0, 0};
    if (poll(&host, 1, 0) < 0) return complain("socket", errno);
    if (host.revents & (POLLHUP | POLLNVAL | POLLERR)) return complain("socket", EPIPE);
    if (fd != CONVERSATION_FD && dup2((int)fd, CONVERSATION_FD) < 0) return complain("socket", errno);
    if (fcntl(CONVERSATION_FD, F_SETFD, FD_CLOEXEC) != 0) return complain("socket", errno);
    if (close_range(CONVERSATION_FD + 1, ~0u, 0) != 0) return complain("descriptors", errno);
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return complain("dumpable", errno);
    mallopt(M_ARENA_MAX, MALLOC_ARENAS);
    int error = worker_confine();
    if (error) return complain("confinement", error);
    return datong_worker_run(CONVERSATION_FD, arguments[2], 0);
}
