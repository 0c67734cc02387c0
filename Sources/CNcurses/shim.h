/// What Swift cannot import of ncurses and of Linux' descriptors: macros, variadics and globals.
#ifndef CNCURSES_SHIM_H
#define CNCURSES_SHIM_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <term.h>

#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <wchar.h>

/// Whether the locale of the environment, which becomes the process's, has UTF-8.
static inline bool cncurses_set_locale(void) {
    const char *codeset = setlocale(LC_ALL, "") ? nl_langinfo(CODESET) : "";
    return codeset[0] == 'U' && codeset[1] == 'T' && codeset[2] == 'F';
}

/// Reads the terminal's description without touching the terminal; false where there is none.
static inline bool cncurses_describe(const char *term) {
    int status = 0;
    return setupterm(term, STDOUT_FILENO, &status) == OK;
}

/// A string capability of the terminal that was described; NULL where it has none.
static inline const char *_Nullable cncurses_capability(const char *_Nonnull name) {
    const char *text = tigetstr(name);
    return text == (const char *)-1 ? NULL : text;
}

/// newterm without the handlers that come with it: for SIGTSTP that takes the screen back after it
/// was given up, and for SIGINT that ends the process with status 1.
static inline bool cncurses_begin(FILE *_Nonnull output) {
    struct sigaction interrupt, stop;
    sigaction(SIGINT, NULL, &interrupt);
    sigaction(SIGTSTP, NULL, &stop);
    bool isOpen = newterm(NULL, output, stdin) != NULL;
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGTSTP, &stop, NULL);
    return isOpen;
}

/// Takes over the terminal on stdin and a descriptor: keys one by one, unechoed, Ctrl-C among them.
static inline bool cncurses_open(int descriptor) {
    FILE *output = fdopen(descriptor, "w");
    if (output == NULL || !cncurses_begin(output)) return false;
    raw();
    noecho();
    nonl();
    intrflush(stdscr, FALSE);
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    set_escdelay(25);
    curs_set(0);
    return true;
}

/// Asks for colours on the terminal's own background; their number, 0 where it has under eight.
static inline int cncurses_start_colors(void) {
    if (!has_colors() || start_color() != OK || COLORS < 8) return 0;
    return use_default_colors() == OK ? COLORS : 0;
}

/// The attributes that a cell can have; `pair` is a colour pair, 0 the terminal's own.
static inline attr_t cncurses_attributes(bool bold, bool dim, bool underline, bool reverse) {
    return (bold ? A_BOLD : 0) | (dim ? A_DIM : 0) | (underline ? A_UNDERLINE : 0)
        | (reverse ? A_REVERSE : 0);
}

/// Writes text at a place of the screen to be.
static inline void cncurses_put(int row, int column, const char *_Nonnull text, attr_t attributes,
                                short pair) {
    attr_set(attributes, pair, NULL);
    mvaddstr(row, column, text);
}

/// Shows the cursor at a place, or hides it where `row` is negative.
static inline void cncurses_cursor(int row, int column) {
    curs_set(row >= 0);
    if (row >= 0) move(row, column);
}

/// Makes the next refresh write every cell.
static inline void cncurses_forget_screen(void) { clearok(curscr, TRUE); }

/// Whether there is a key: 0 none, 1 a character, 2 a key code of ncurses.
static inline int cncurses_key(uint32_t *_Nonnull key) {
    wint_t value = 0;
    int status = get_wch(&value);
    *key = (uint32_t)value;
    return status == ERR ? 0 : status == KEY_CODE_YES ? 2 : 1;
}

/// Asks for the first button and the wheel; a press is told at once, not taken for half a click.
static inline void cncurses_use_mouse(void) {
    mouseinterval(0);
    mousemask(BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
}

/// What the mouse did last: its button 1, 4 (wheel up) or 5 (wheel down), or 0.
static inline int cncurses_mouse(int *_Nonnull row, int *_Nonnull column) {
    MEVENT event;
    if (getmouse(&event) != OK) return 0;
    *row = event.y;
    *column = event.x;
    return event.bstate & BUTTON1_PRESSED ? 1 : event.bstate & BUTTON4_PRESSED ? 4
        : event.bstate & BUTTON5_PRESSED ? 5 : 0;
}

/// Another descriptor of the same file, none of the first ten, or -1; fcntl(2).
static inline int cncurses_duplicate(int descriptor) {
    return fcntl(descriptor, F_DUPFD_CLOEXEC, 10);
}

/// Gives a sequence of the terminal a key code of its own.
static inline void cncurses_define_key(const char *_Nonnull sequence, int code) {
    define_key(sequence, code);
}

/// The size that the kernel knows of the terminal; false where it knows none.
static inline bool cncurses_size(int *_Nonnull high, int *_Nonnull wide) {
    struct winsize size;
    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0) return false;
    *high = size.ws_row;
    *wide = size.ws_col;
    return true;
}

/// A descriptor that becomes readable when it was signalled; eventfd(2).
static inline int cncurses_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

/// A nameless file in memory; memfd_create(2).
static inline int cncurses_memory_file(void) { return memfd_create("sevdbg-output", MFD_CLOEXEC); }

/// A descriptor that gives out the blocked signals of a set; signalfd(2).
static inline int cncurses_signalfd(const sigset_t *_Nonnull signals) {
    return signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

/// The next signal of such a descriptor, or 0.
static inline int cncurses_next_signal(int descriptor) {
    struct signalfd_siginfo info;
    return read(descriptor, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}

#endif
