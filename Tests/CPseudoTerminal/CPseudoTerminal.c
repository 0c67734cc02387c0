#define _GNU_SOURCE
#include "CPseudoTerminal.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utmp.h>

// Between fork and execve only what is safe in a signal handler: other threads may hold locks.
static void run(const char *const *arguments, const char *const *environment, int terminal) {
    sigset_t none;
    sigemptyset(&none);
    for (int number = 1; number < 65; number++) signal(number, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (login_tty(terminal) == 0)
        execve(arguments[0], (char *const *)arguments, (char *const *)environment);
    _exit(127);
}

pid_t cpty_spawn(const char *const *arguments, const char *const *environment, uint16_t columns,
                 uint16_t rows, int *master, struct termios *modes) {
    struct winsize size = {.ws_col = columns, .ws_row = rows};
    int terminal;
    if (openpty(master, &terminal, NULL, NULL, &size) != 0) return -1;
    fcntl(*master, F_SETFD, FD_CLOEXEC);
    tcgetattr(*master, modes);
    pid_t process = fork();
    if (process == 0) run(arguments, environment, terminal);
    close(terminal);
    if (process < 0) close(*master);
    return process;
}

void cpty_resize(int master, uint16_t columns, uint16_t rows) {
    struct winsize size = {.ws_col = columns, .ws_row = rows};
    ioctl(master, TIOCSWINSZ, &size);
}

int cpty_signal_thread(pid_t process, pid_t thread, int signal) {
    return tgkill(process, thread, signal);
}
