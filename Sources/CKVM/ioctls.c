#define _GNU_SOURCE
#include "ioctls.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

int ckvm_ioctl(int descriptor, struct ckvm_call call)
{
    int result = ioctl(descriptor, call.request, call.argument);
    return result < 0 ? -errno : result;
}

static _Thread_local timer_t timer;
static _Thread_local bool has_timer;

/// KVM_RUN fails with EINTR because of any signal that has a handler; all else is restarted.
static void beat(int signal) { (void)signal; }

/// A timer belongs to a thread until that ends, and is armed only while a guest runs.
static int make_timer(void)
{
    struct sigaction action = {.sa_handler = beat, .sa_flags = SA_RESTART};
    struct sigaction old;
    if (sigaction(SIGURG, NULL, &old) < 0)
        return -errno;
    // Whoever has a handler of his own keeps it: it interrupts KVM_RUN as well.
    if ((old.sa_handler == SIG_DFL || old.sa_handler == SIG_IGN)
        && sigaction(SIGURG, &action, NULL) < 0)
        return -errno;
    // Threads of libdispatch start with all signals blocked.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGURG);
    int failure = pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
    if (failure)
        return -failure;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGURG};
    event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0)
        return -errno;
    has_timer = true;
    return 0;
}

int ckvm_heartbeat_start(unsigned milliseconds)
{
    int failure = has_timer ? 0 : make_timer();
    if (failure)
        return failure;
    struct timespec interval = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    struct itimerspec beats = {interval, interval};
    return timer_settime(timer, 0, &beats, NULL) < 0 ? -errno : 0;
}

void ckvm_heartbeat_stop(void)
{
    struct itimerspec none = {0};
    if (has_timer)
        timer_settime(timer, 0, &none, NULL);
}

const char *ckvm_errno_name(int number)
{
    const char *name = strerrorname_np(number);
    return name ? name : "unknown";
}
