/* datong_process.h - what the host needs from the system to look after its workers and Swift cannot reach. */
#ifndef DATONG_PROCESS_H
#define DATONG_PROCESS_H

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static inline int datong_pipe(int ends[2], int flags) {
    return (int)syscall(SYS_pipe2, ends, flags);
}
/* Process handles. A pid can be given to another process after a wait; a descriptor cannot. */
static inline int datong_pidfd_open(pid_t pid) {
    return (int)syscall(SYS_pidfd_open, pid, 0u);
}
static inline int datong_pidfd_kill(int pidfd, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, (void *)0, 0u);
}
/* Reap an ended process: 1 when it left with *status, 2 when signal *status ended it, 0 while it runs,
 * -1 on error. */
static inline int datong_pidfd_reap(int pidfd, int *status) {
    siginfo_t info;
    info.si_pid = 0;
    int result;
    do {
        result = waitid((idtype_t)3 /* P_PIDFD */, (id_t)pidfd, &info, WEXITED | WNOHANG);
    } while (result != 0 && errno == EINTR);
    if (result != 0) return -1;
    if (info.si_pid == 0) return 0;
    *status = info.si_status;
    return info.si_code == CLD_EXITED ? 1 : 2;
}

#endif
