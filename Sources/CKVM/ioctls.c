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
/// A timer belongs to a thread until that gives it back.
static _Thread_local bool has_timer;
/// The milliseconds between two beats; 0: the timer is not armed.
static _Thread_local volatile unsigned interval;
/// The immediate_exit of the vCPU that this thread runs.
static _Thread_local uint8_t *volatile running;

static int set_timer(unsigned milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    struct itimerspec beats = {time, time};
    if (timer_settime(timer, 0, &beats, NULL) < 0)
        return -errno;
    interval = milliseconds;
    return 0;
}

/// KVM_RUN fails with EINTR because of any signal that has a handler; all else is restarted.
///
/// One that is sent once must not be lost just before KVM_RUN. The timer stays armed from run to
/// run, which saves each of them two system calls, and stops at its first beat between them.
static void beat(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    int error = errno;
    if (running && info->si_code == SI_TKILL)
        *running = 1;
    if (!running && interval)
        set_timer(0);
    errno = error;
}

static int make_timer(void)
{
    struct sigaction action = {.sa_sigaction = beat, .sa_flags = SA_RESTART | SA_SIGINFO};
    if (sigaction(SIGURG, &action, NULL) < 0)
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

int ckvm_heartbeat_start(unsigned milliseconds, uint8_t *immediate_exit)
{
    int failure = has_timer ? 0 : make_timer();
    // Before the timer is looked at, for a beat must not stop it behind that.
    running = immediate_exit;
    if (!failure && interval != milliseconds)
        failure = set_timer(milliseconds);
    if (failure)
        running = NULL;
    return failure;
}

void ckvm_heartbeat_stop(void) { running = NULL; }

void ckvm_heartbeat_end(void)
{
    if (!has_timer)
        return;
    has_timer = false;
    interval = 0;
    timer_delete(timer);
}

const char *ckvm_errno_name(int number)
{
    const char *name = strerrorname_np(number);
    return name ? name : "unknown";
}
