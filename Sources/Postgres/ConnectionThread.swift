import Dispatch

/// The thread on which one connection blocks.
///
/// libpq's calls wait for the server. On Swift's shared pool, which has one thread per core, two
/// such waits stop the whole program. So ``withConnection(to:application:_:)`` runs its body with
/// this executor as the task's preference: the code stays plain and synchronous, and what blocks is
/// a thread that belongs to nobody else. A serial queue is enough: Dispatch gives every queue whose
/// job blocks a thread of its own.
final class ConnectionThread: TaskExecutor {
    private let queue: DispatchQueue

    init(name: String) {
        queue = DispatchQueue(label: name)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = unsafe asUnownedTaskExecutor()
        // The job may be the last to hold the executor, so the closure holds it too.
        queue.async { [self] in
            withExtendedLifetime(self) { unsafe job.runSynchronously(on: executor) }
        }
    }
}

/// Runs blocking work that is not a connection's (a file, a wait on another thread) off Swift's shared pool.
package func withOwnThread<Result>(
    _ name: String,
    _ body: () async throws -> Result
) async throws -> Result {
    try await withTaskExecutorPreference(ConnectionThread(name: name)) { try await body() }
}
