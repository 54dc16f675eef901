import Foundation
import Synchronization

/// Points of a run at which a test may have this program killed or stopped, to see that another one can go on from there.
///
/// The variables `MARTLET_DIE_AT` and `MARTLET_STOP_AT` name a point. A release build knows neither.
public enum Milestone {
    /// Is killed (SIGKILL) or stops (SIGSTOP) here, if that was asked for.
    public static func reach(_ name: @autoclosure () -> String) {
        #if DEBUG
        let variables = ProcessInfo.processInfo.environment
        if variables["MARTLET_DIE_AT"] == name() { kill(getpid(), SIGKILL) }
        guard variables["MARTLET_STOP_AT"] == name() else { return }
        // Only once, by whichever thread is first: whoever has woken it wants to see what it does then.
        guard !hasStopped.exchange(true, ordering: .relaxed) else { return }
        kill(getpid(), SIGSTOP)
        #endif
    }

    private static let hasStopped = Atomic(false)
}
