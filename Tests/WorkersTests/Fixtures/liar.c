/* Takes the place of datong-worker and says what no worker says. The plugin path names the lie. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int fd;

static void frame(uint32_t size, uint16_t kind, uint16_t flags, uint64_t id, const void *body, size_t given) {
    uint8_t header[16];
    memcpy(header, &size, 4);
    memcpy(header + 4, &kind, 2);
    memcpy(header + 6, &flags, 2);
    memcpy(header + 8, &id, 8);
    if (write(fd, header, 16) != 16 || (given && write(fd, body, given) != (ssize_t)given)) exit(1);
}

static void hello(uint32_t protocol) {
    uint32_t body[12] = {protocol, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0};
    frame(44, 1, 0, 0, body, 44);
}

/* The id of the next frame from the host. */
static uint64_t next(void) {
    uint8_t header[16];
    size_t got = 0;
    while (got < 16) {
        ssize_t n = read(fd, header + got, 16 - got);
        if (n <= 0) exit(0);
        got += (size_t)n;
    }
    uint32_t size;
    uint64_t id;
    memcpy(&size, header, 4);
    memcpy(&id, header + 8, 8);
    while (size > 0) {
        uint8_t waste[256];
        ssize_t n = read(fd, waste, size < sizeof waste ? size : sizeof waste);
        if (n <= 0) exit(0);
        size -= (uint32_t)n;
    }
    return id;
}

int main(int count, char **arguments) {
    if (count != 3) return 1;
    fd = atoi(arguments[1]);
    close_range(fd + 1, ~0u, 0);
    const char *lie = arguments[2];
    static const uint8_t fine[13] = {0};
    if (strcmp(lie, "noise") == 0) {
        for (int i = 0; i < 4096; i++) write(fd, "rubbish!", 8);
    } else if (strcmp(lie, "protocol") == 0) {
        hello(99);
    } else if (strcmp(lie, "short-hello") == 0) {
        frame(3, 1, 0, 0, fine, 3);
    } else if (strcmp(lie, "silence") == 0) {
        shutdown(fd, SHUT_WR);
    } else if (strcmp(lie, "refuse-and-stay") == 0) {
        /* REFUSED for a failed init, its detail this process's number in ten digits. */
        uint32_t body[10] = {1, 13, 1, 1, 1, 1, 10};
        char words[11];
        snprintf(words, sizeof words, "%010d", (int)getpid());
        memcpy(body + 7, words, 10);
        frame(38, 2, 0, 0, body, 38);
        for (;;) pause();
    } else {
        hello(1);
        frame(13, 4, 0, next(), fine, 13);
        uint64_t id = next();
        if (strcmp(lie, "long-frame") == 0) frame(0xffffffffu, 6, 0, id, fine, 13);
        if (strcmp(lie, "unknown-kind") == 0) frame(13, 77, 0, id, fine, 13);
        if (strcmp(lie, "other-call") == 0) frame(13, 6, 0, id + 1000, fine, 13);
        if (strcmp(lie, "short-result") == 0) frame(5, 6, 0, id, fine, 5);
        if (strcmp(lie, "many-items") == 0) {
            uint8_t body[13] = {0};
            memset(body + 9, 0xff, 4);
            frame(13, 6, 0, id, body, 13);
        }
        if (strcmp(lie, "long-span") == 0) {
            uint8_t body[18] = {0};
            body[9] = 1;
            body[13] = 1;
            memset(body + 14, 0x7f, 4);
            frame(18, 6, 0, id, body, 18);
        }
        if (strcmp(lie, "odd-index") == 0) {
            /* One applied record, the eighth of one. */
            uint8_t body[46] = {0};
            body[9] = 1;
            body[13] = 4;
            body[14] = 7;
            body[18] = 1;
            frame(46, 6, 0, id, body, 46);
        }
        if (strcmp(lie, "empty-result") == 0) frame(13, 6, 0, id, fine, 13);
        if (strcmp(lie, "two-services") == 0) {
            uint32_t now[2] = {1, 60};
            frame(8, 7, 0, id, now, 8);
            now[0] = 2;
            frame(8, 7, 0, id, now, 8);
        }
        if (strcmp(lie, "result-while-asking") == 0) {
            uint32_t now[2] = {1, 60};
            frame(8, 7, 0, id, now, 8);
            frame(13, 6, 0, id, fine, 13);
        }
        if (strcmp(lie, "unknown-service") == 0) {
            uint32_t odd[2] = {1, 999};
            frame(8, 7, 0, id, odd, 8);
        }
        if (strcmp(lie, "cut-service") == 0) {
            uint32_t http[2] = {1, 1};
            frame(8, 7, 0, id, http, 8);
        }
    }
    for (;;) next();
}
