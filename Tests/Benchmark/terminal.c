// Times keys of a terminal program: terminal COLUMNS ROWS COUNT SETUP KEY PROGRAM [ARGUMENT…]
//
// Runs the program on a pty of its own, types SETUP line by line, and then KEY so many times. A key
// is over when the terminal has been quiet for a while; its time ends with the last byte. `\n` in
// SETUP and KEY is the Enter key. Prints, in one line: the median time of a key in microseconds, the
// median and the greatest number of bytes that it made the program write, and what a second without
// a key costs: bytes, and microseconds of processor time.

#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { QUIET = 40, START_QUIET = 500, START = 20000 }; // milliseconds

static int pty;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static void fail(const char *what) {
    fprintf(stderr, "terminal: %s: %s\n", what, strerror(errno));
    exit(1);
}

// Reads until the program is quiet. The first byte may take as long as it likes, within limits.
static long drain(int quiet, int first, double *last) {
    long count = 0;
    char buffer[65536];
    struct pollfd ready = {.fd = pty, .events = POLLIN};
    while (poll(&ready, 1, count ? quiet : first) > 0) {
        ssize_t size = read(pty, buffer, sizeof buffer);
        if (size <= 0) fail("the program ended");
        count += size;
        if (last) *last = now();
    }
    return count;
}

static void type(const char *keys, size_t count) {
    char text[256];
    size_t size = 0;
    for (size_t i = 0; i < count && size < sizeof text; i++) {
        int isEnter = keys[i] == '\\' && i + 1 < count && keys[i + 1] == 'n';
        text[size++] = isEnter ? '\r' : keys[i];
        i += isEnter;
    }
    if (write(pty, text, size) != (ssize_t)size) fail("write");
}

// Types each line and waits for what comes of it.
static void set_up(const char *lines) {
    while (*lines) {
        const char *end = strstr(lines, "\\n");
        size_t size = end ? (size_t)(end - lines) + 2 : strlen(lines);
        type(lines, size);
        drain(START_QUIET, START, NULL);
        lines += size;
    }
}

// Processor time of the program since its start, in microseconds.
static double processor_time(pid_t child) {
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid(child, &clock) || clock_gettime(clock, &time)) return 0;
    return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    if (argc < 7) {
        fprintf(stderr, "usage: terminal COLUMNS ROWS COUNT SETUP KEY PROGRAM [ARGUMENT...]\n");
        return 64;
    }
    struct winsize size = {.ws_col = atoi(argv[1]), .ws_row = atoi(argv[2])};
    int count = atoi(argv[3]);
    if (count < 1) return 64;
    pid_t child = forkpty(&pty, NULL, NULL, &size);
    if (child < 0) fail("forkpty");
    if (child == 0) {
        setenv("TERM", "xterm-256color", 1);
        execvp(argv[6], argv + 6);
        _exit(127);
    }
    drain(START_QUIET, START, NULL);
    set_up(argv[4]);
    double *times = calloc(count, sizeof *times), *bytes = calloc(count, sizeof *bytes);
    for (int i = 0; i < count; i++) {
        double start = now(), end = start;
        type(argv[5], strlen(argv[5]));
        bytes[i] = drain(QUIET, START, &end);
        times[i] = end - start;
    }
    double before = processor_time(child);
    long idle = drain(1000, 1000, NULL);
    double used = processor_time(child) - before;
    qsort(times, count, sizeof *times, compare);
    qsort(bytes, count, sizeof *bytes, compare);
    printf("%.0f %.0f %.0f %ld %.0f\n", times[count / 2], bytes[count / 2], bytes[count - 1], idle,
           used);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return 0;
}
