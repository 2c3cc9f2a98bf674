/* Ways for a plugin to ruin its process. */
#ifndef RUIN_H
#define RUIN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "datong_plugin.h"

static int is(datong_bytes bytes, const char *words) {
    return bytes.size == strlen(words) && memcmp(bytes.data, words, bytes.size) == 0;
}

/* Does what the word says; comes back when it says no such thing. */
static void ruin(datong_bytes what) {
    if (is(what, "segv")) *(volatile int *)8 = 1;
    if (is(what, "abort")) abort();
    if (is(what, "exit")) exit(7);
    if (is(what, "loop"))
        for (;;) __asm__ volatile("");
    if (is(what, "say-and-die")) {
        for (int i = 0; i < 1000; i++) fprintf(stderr, "line %d\n", i);
        fprintf(stderr, "the last words\n");
        abort();
    }
    if (is(what, "shout")) {
        static char words[1 << 20];
        memset(words, '!', sizeof words);
        for (;;)
            if (write(2, words, sizeof words) < 0) abort();
    }
    if (is(what, "fork-and-die") || is(what, "flood-and-die")) {
        pid_t child = fork();
        if (child == 0 && is(what, "flood-and-die")) {
            /* A note of no call, for ever, from a process no kill of the worker's group reaches. */
            static const uint32_t note[10] = {24, 9, 0, 0, 1, 72};
            static uint8_t notes[sizeof note * 8192];
            for (int i = 0; i < 8192; i++) memcpy(notes + sizeof note * i, note, sizeof note);
            setsid();
            for (;;)
                if (write(3, notes, sizeof notes) < 0) abort();
        }
        if (child == 0)
            for (;;) pause();
        fprintf(stderr, "child %d\n", (int)child);
        usleep(50000);
        abort();
    }
    if (is(what, "close-socket")) {
        shutdown(3, SHUT_WR);
        for (;;) __asm__ volatile("");
    }
}

#endif
