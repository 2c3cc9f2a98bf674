/* parent WORKER PLUGIN: leaves a host behind that has started a worker, prints "HOST WORKER" as pids, and goes. The host
 * waits to be killed. */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int count, char **arguments) {
    int pair[2];
    if (count != 3 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 1;
    if (fork() != 0) return 0;
    fcntl(pair[0], F_SETFD, FD_CLOEXEC);
    char number[16];
    snprintf(number, sizeof number, "%d", pair[1]);
    char *worker[] = {arguments[1], number, arguments[2], NULL};
    char *environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    pid_t pid;
    if (posix_spawn(&pid, arguments[1], &actions, NULL, worker, environment) != 0) return 2;
    close(pair[1]);
    printf("%d %d ", (int)getpid(), (int)pid);
    fflush(stdout);
    close(1);
    close(2);
    for (;;) pause();
}
