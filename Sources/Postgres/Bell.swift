import Foundation

/// What threads of this process wait on for each other, for at most so long.
///
/// Foundation's `NSCondition` waits for a time of day: when somebody sets the clock back by an hour meanwhile, a wait of 0.2 seconds
/// takes an hour. This one counts by the monotonic clock (pthread_condattr_setclock(3)).
package final class Bell: Sendable {
    /// The addresses of a `pthread_mutex_t` and a `pthread_cond_t`, which any thread may use.
    private let mutex: UInt
    private let condition: UInt

    /// Makes a bell on which nobody waits.
    package init() {
        let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(condition, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
        self.mutex = UInt(bitPattern: mutex)
        self.condition = UInt(bitPattern: condition)
    }

    deinit {
        guard let mutex = unsafe mutexPointer, let condition = unsafe conditionPointer else { return }
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    /// Has everybody who waits look again.
    package func ring() {
        guard let mutex = unsafe mutexPointer, let condition = unsafe conditionPointer else { return }
        unsafe pthread_mutex_lock(mutex)
        unsafe pthread_cond_broadcast(condition)
        unsafe pthread_mutex_unlock(mutex)
    }

    /// Blocks the calling thread until `isReached`, which is asked at once and whenever the bell rings, or until the deadline.
    ///
    /// `isReached` must not ring the bell.
    ///
    /// - Returns: whether it was reached.
    package func wait(until deadline: ContinuousClock.Instant, _ isReached: () -> Bool) -> Bool {
        guard let mutex = unsafe mutexPointer, let condition = unsafe conditionPointer else { return isReached() }
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while !isReached() {
            let left = ContinuousClock.now.duration(to: deadline)
            guard left > .zero else { return false }
            var moment = Self.monotonicTime(in: left)
            unsafe pthread_cond_timedwait(condition, mutex, &moment)
        }
        return true
    }

    private var mutexPointer: UnsafeMutablePointer<pthread_mutex_t>? { unsafe UnsafeMutablePointer(bitPattern: mutex) }

    private var conditionPointer: UnsafeMutablePointer<pthread_cond_t>? {
        unsafe UnsafeMutablePointer(bitPattern: condition)
    }

    private static func monotonicTime(in duration: Duration) -> timespec {
        var moment = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &moment)
        // A sleep of the machine lengthens a wait by its own time at most; longer waits than a day are looked at daily.
        let (seconds, attoseconds) = min(duration, .seconds(86_400)).components
        let nanoseconds = moment.tv_nsec + Int(attoseconds / 1_000_000_000)
        moment.tv_sec += Int(seconds) + nanoseconds / 1_000_000_000
        moment.tv_nsec = nanoseconds % 1_000_000_000
        return moment
    }
}
