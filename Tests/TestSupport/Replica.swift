import Catalog
public import Cluster
import Foundation
import Postgres

/// Runs `body` with a physical replica of a server, which streams from it by its socket.
public func withReplica<Result>(
    of primary: Server,
    _ body: (Server) async throws -> Result
) async throws -> Result {
    // As keeper.sh lays a server out; the empty martlet.conf says that it is complete.
    let script = #"""
        umask 077 && root=$(mktemp -d /tmp/martlet-XXXXXX) &&
            "$1" -D "$root/data" -h "$2" -U postgres --checkpoint=fast --write-recovery-conf >&2 &&
            touch "$root/password" "$root/martlet.conf" && printf %s "$root"
        """#
    let programs = primary.binaries
    let copy = try await Program.ofServer(
        script: script,
        [programs.program("pg_basebackup"), primary.socketDirectory],
        environment: programs.additionalEnvironment
    ).run()
    guard copy.isSuccess else { throw PostgresError("could not make a replica", detail: copy.complaint) }
    // What cannot be removed from /tmp does no harm, and must not hide the failure of the test.
    defer { try? FileManager.default.removeItem(atPath: copy.output) }
    var configuration = ServerConfiguration()
    configuration.binaries = programs
    configuration.directory = copy.output
    return try await withServer(configuration, body)
}
