// What `sevdbg attach --observe` costs a VMM: its rounds in a second of its own processor time, with
// and without the observer, in turns.
//
//     observe SEVDBG STRICT-VMM [ROUNDS]
//
// Processor time rather than the clock's: other programs on the machine then hardly matter. Prints a
// line with the medians.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_ROUNDS = 200, WINDOW = 300 };

static pid_t vmm;
static FILE *vmm_output;

static void fail(const char *what)
{
    perror(what);
    if (vmm > 0) kill(vmm, SIGKILL);
    exit(2);
}

static FILE *start(char **arguments, pid_t *process)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC)) fail("pipe");
    if ((*process = fork()) < 0) fail("fork");
    if (*process == 0) {
        dup2(ends[1], 1);
        execvp(arguments[0], arguments);
        _exit(127);
    }
    close(ends[1]);
    return fdopen(ends[0], "r");
}

static void expect_line(FILE *file, char *line, size_t size, const char *start)
{
    if (!fgets(line, size, file) || strncmp(line, start, strlen(start))) fail(start);
}

/// Nanoseconds of processor time that the VMM has used.
static double used(void)
{
    struct timespec time;
    clockid_t clock;
    if (clock_getcpuclockid(vmm, &clock) || clock_gettime(clock, &time)) fail("the VMM's clock");
    return time.tv_sec * 1e9 + time.tv_nsec;
}

/// Rounds of all vCPUs, four exits each.
static double rounds(void)
{
    char line[256];
    unsigned long long first, second;
    kill(vmm, SIGUSR1);
    expect_line(vmm_output, line, sizeof(line), "rounds");
    if (sscanf(line, "rounds %llu %llu", &first, &second) != 2) fail("totals");
    return first + second;
}

/// Exits in a second of the VMM's time.
static double rate(void)
{
    double before = rounds(), time = used();
    usleep(WINDOW * 1000);
    return 4e9 * (rounds() - before) / (used() - time);
}

static double observed_rate(char *sevdbg)
{
    char process[16], line[8192];
    char *arguments[] = {sevdbg, "attach", process, "--observe", "--json", NULL};
    pid_t observer;

    snprintf(process, sizeof(process), "%d", vmm);
    FILE *output = start(arguments, &observer);
    // The first record comes when all programs are attached.
    expect_line(output, line, sizeof(line), "{");
    if (!strstr(line, "\"by\":\"bpf\"")) {
        fprintf(stderr, "%s", line);
        fail("no BPF");
    }
    double found = rate();
    kill(observer, SIGINT);
    while (fgets(line, sizeof(line), output)) continue;
    fclose(output);
    waitpid(observer, NULL, 0);
    return found;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

int main(int count, char **arguments)
{
    char line[256];
    char *command[] = {count > 2 ? arguments[2] : NULL, NULL};
    int turns = count > 3 ? atoi(arguments[3]) : 31;
    double ratios[MOST_ROUNDS], rates[MOST_ROUNDS];

    if (count < 3 || turns < 1 || turns > MOST_ROUNDS) {
        fprintf(stderr, "usage: observe SEVDBG STRICT-VMM [ROUNDS]\n");
        return 64;
    }
    vmm_output = start(command, &vmm);
    expect_line(vmm_output, line, sizeof(line), "running");
    rate();
    double before = rate();
    for (int turn = 0; turn < turns; turn++) {
        double with = observed_rate(arguments[1]);
        double after = rate();
        rates[turn] = (before + after) / 2;
        ratios[turn] = with / rates[turn];
        before = after;
    }
    kill(vmm, SIGTERM);
    while (fgets(line, sizeof(line), vmm_output)) continue;
    qsort(ratios, turns, sizeof(*ratios), compare);
    qsort(rates, turns, sizeof(*rates), compare);
    printf("observe: %.0f exits/s alone, %.3f x of it while observed (quartiles %.3f, %.3f; %d turns); %s",
           rates[turns / 2], ratios[turns / 2], ratios[turns / 4], ratios[3 * turns / 4], turns, line);
    return 0;
}
