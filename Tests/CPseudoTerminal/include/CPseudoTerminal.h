/// What Swift cannot call or import of pseudoterminals: fork(2) and GNU's own.
#ifndef CPSEUDOTERMINAL_H
#define CPSEUDOTERMINAL_H

#include <stdint.h>
#include <sys/types.h>
#include <termios.h>

/// Runs a program as the leader of a session with a terminal of its own; openpty(3), fork(2).
///
/// Returns the process, or -1; `master` is the terminal's other side, `modes` are what the program
/// finds. No signal is blocked or ignored.
pid_t cpty_spawn(const char *const _Nullable *_Nonnull arguments,
                 const char *const _Nullable *_Nonnull environment, uint16_t columns, uint16_t rows,
                 int *_Nonnull master, struct termios *_Nonnull modes);

/// Gives the terminal another size; ioctl(2), TIOCSWINSZ.
void cpty_resize(int master, uint16_t columns, uint16_t rows);

/// Sends a signal to one thread of a process; tgkill(2).
int cpty_signal_thread(pid_t process, pid_t thread, int signal);

#endif
