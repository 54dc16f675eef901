import Catalog
import Foundation
import Postgres

extension Backups {
    /// Removes all but the newest backups of a server, and the log that only the older ones need.
    ///
    /// Moments before the end of the oldest one that stays cannot be restored any more. With `rehearses` nothing is removed. When it is
    /// interrupted the next one goes on. A restore that reads the log is not disturbed.
    ///
    /// - Returns: the backups, and how many segments of the log.
    /// - Throws: when there are no backups, when a restore or a search has read them for a minute, or what pg_archivecleanup says.
    public func prune(
        _ name: String,
        keeping count: Int,
        rehearses: Bool
    ) async throws -> (
        backups: [Backup], segments: Int
    ) {
        precondition(count > 0, "The log without a backup restores nothing.")
        return try await withLog(of: name, removing: !rehearses) {
            try await sandboxes.locked(name) {
                try await pruneAlone(name, keeping: count, rehearses: rehearses)
            }
        }
    }

    private func pruneAlone(
        _ name: String,
        keeping count: Int,
        rehearses: Bool
    ) async throws -> (backups: [Backup], segments: Int) {
        let all = list(of: name)
        // Its place in the log, as timelines may go back.
        guard let oldest = all.suffix(count).min(by: { $0.start < $1.start }) else {
            throw PostgresError("there are no backups of \"\(name)\"")
        }
        let binaries = try await Installation.server(major: oldest.major)
        let place = ServerDirectory(path: "\(base(of: name))/\(oldest.name)")
        let size = try await place.segmentSize(binaries)
        let number = oldest.start.value / size
        let first = LogTimelines.segmentName(number, timeline: oldest.timeline, size: size)
        let old = Array(all.dropLast(count))
        let segments = try await cleanUp(name, before: first, ["-n"], binaries).split(separator: "\n").count
        guard !rehearses else { return (old, segments) }
        try removeUnfinished(of: name)
        for backup in old { try ServerDirectory(path: "\(base(of: name))/\(backup.name)").remove() }
        _ = try await cleanUp(name, before: first, [], binaries)
        return (old, segments)
    }

    /// Runs `body` while log of a server is read, or with `removing` while nobody else does.
    func withLog<Result>(of name: String, removing: Bool, _ body: () async throws -> Result) async throws -> Result {
        let busy = PostgresError(
            "could not \(removing ? "remove" : "read") the log of \"\(name)\"",
            detail: removing
                ? "A restore or a search has been reading it for a minute."
                : "Another martlet has been removing backups for a minute.",
            hint: "Wait until it has finished, then try again."
        )
        return try await sandboxes.locked(name, file: "\(name).log", shared: !removing, busy: busy, body)
    }

    private func cleanUp(
        _ name: String,
        before segment: String,
        _ options: [String],
        _ binaries: Installation
    ) async throws -> String {
        let outcome = try await Program.ofServer(
            try binaries.program("pg_archivecleanup"),
            options + [archive(of: name), segment],
            environment: binaries.serverEnvironment
        ).run()
        guard outcome.isSuccess else {
            throw PostgresError("could not remove the log before segment \(segment)", detail: outcome.complaint)
        }
        return outcome.output
    }
}
