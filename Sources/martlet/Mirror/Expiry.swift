import Catalog
import Foundation
import Postgres

/// The end of what lives for a time only.
///
/// A shell sleeps that long, and then runs martlet, which removes what has expired. When the machine was restarted meanwhile
/// nobody sleeps any more: then the next command that looks at clones removes it.
enum Expiry {
    /// A moment in local time, to the second: `2026-11-23 10:37:00`.
    static func text(_ date: Date) -> String {
        date.formatted(
            Date.ISO8601FormatStyle(dateTimeSeparator: .space, timeZone: .current).year().month().day().time(
                includingFractionalSeconds: false
            )
        )
    }

    /// Sees to it that martlet looks for what has expired in so many seconds.
    static func remind(after seconds: Double) async throws {
        let script =
            #"setsid -f sh -c 'sleep "$1"; exec "$2" clone remove --expired' martlet "$1" "$2" </dev/null >/dev/null 2>&1"#
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let outcome = try await Program(
            path: "/bin/sh",
            arguments: ["-c", script, "martlet", String(Int(seconds.rounded(.up)) + 1), own]
        ).run()
        guard outcome.isSuccess else {
            throw PostgresError(
                "could not leave a process behind that removes the clone in time",
                detail: outcome.complaint
            )
        }
    }
}
