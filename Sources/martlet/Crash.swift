import Foundation

/// What a crash of this program leaves behind.
enum Crash {
    /// Keeps passwords and rows out of what a crash would write: no registers with the memory that they point to, no core file.
    ///
    /// Swift's runtime tells of a crash with sixteen bytes of memory for each register (docs/Backtracing.rst in Swift's
    /// sources). Who needs the stack of a crash says so: `SWIFT_BACKTRACE=enable=yes,registers=none`.
    static func tellsNothing() {
        let core = __rlimit_resource_t(RLIMIT_CORE.rawValue)
        var limit = rlimit()
        if getrlimit(core, &limit) == 0 {
            limit.rlim_cur = 0
            // Nobody may be kept from lowering a limit.
            _ = setrlimit(core, &limit)
        }
        guard ProcessInfo.processInfo.environment["SWIFT_BACKTRACE"] == nil else { return }
        // The signals that the runtime has taken (CrashHandlerLinux.cpp).
        for number in [SIGQUIT, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP] { signal(number, SIG_DFL) }
    }
}
