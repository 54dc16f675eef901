// The time of day of one program, which a test sets while the program runs.
//
// It does what settimeofday(2) does to a whole machine: CLOCK_REALTIME jumps, and with it every wait for a moment of that clock,
// also one that has begun. The monotonic clocks, timers and timeouts go on.
//
// MARTLET_TIME_OF_DAY names a file of eight bytes: the seconds between the program's time of day and the right one.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *difference;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("MARTLET_TIME_OF_DAY");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *place = mmap(NULL, sizeof *difference, PROT_READ, MAP_SHARED, file, 0);
    if (place != MAP_FAILED) difference = place;
    close(file);
}

// MARK: Reading the clock

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    int isOfDay = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
    if (result == 0 && isOfDay && difference) time->tv_sec += *difference;
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *place) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (place) *place = now.tv_sec;
    return now.tv_sec;
}

// MARK: Waiting for a moment

// A moment within 30 years of the machine's start is one of a monotonic clock: which one a condition has, it does not tell.
static int isOfMonotonic(const struct timespec *moment) { return moment->tv_sec < 1000000000; }

// The monotonic time in some milliseconds, or when the time of day is `moment`; 0 when it has come.
static int nextLook(const struct timespec *moment, struct timespec *next) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t left = (moment->tv_sec - now.tv_sec) * 1000000000 + moment->tv_nsec - now.tv_nsec;
    if (left <= 0) return 0;
    if (left > 10000000) left = 10000000;
    clock_gettime(CLOCK_MONOTONIC, next);
    next->tv_nsec += left;
    next->tv_sec += next->tv_nsec / 1000000000;
    next->tv_nsec %= 1000000000;
    return 1;
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *moment) {
    if (isOfMonotonic(moment)) return pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, moment);
    struct timespec next;
    while (nextLook(moment, &next)) {
        int result = pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, &next);
        if (result != ETIMEDOUT) return result;
    }
    return ETIMEDOUT;
}

int sem_timedwait(sem_t *semaphore, const struct timespec *moment) {
    struct timespec next;
    while (nextLook(moment, &next)) {
        int result = sem_clockwait(semaphore, CLOCK_MONOTONIC, &next);
        if (result == 0 || errno != ETIMEDOUT) return result;
    }
    errno = ETIMEDOUT;
    return -1;
}
