public import Cluster
import Foundation
public import Postgres
import Subprocess
import SystemPackage

extension Server {
    /// Makes a running server take encrypted sessions, with a certificate that it signs itself.
    public func encrypt() async throws {
        let data = try await ask(socketConnection(), "SHOW data_directory") ?? ""
        let outcome = try await Subprocess.run(
            .name("openssl"),
            arguments: [
                "req", "-new", "-x509", "-days", "2", "-nodes", "-text", "-subj", "/CN=127.0.0.1",
                "-newkey", "rsa:2048", "-keyout", data + "/server.key", "-out", data + "/server.crt",
            ],
            output: .discarded,
            error: .string(limit: 1 << 16)
        )
        guard outcome.terminationStatus.isSuccess else {
            throw PostgresError("could not make a certificate", detail: outcome.standardError)
        }
        var owner = stat()
        guard stat(data, &owner) == 0 else { throw PostgresError("could not find \(data)") }
        for file in ["server.key", "server.crt"] {
            guard chmod("\(data)/\(file)", 0o600) == 0, chown("\(data)/\(file)", owner.st_uid, owner.st_gid) == 0 else {
                throw PostgresError("could not give \(file) to the server")
            }
        }
        try await execute(socketConnection(), "ALTER SYSTEM SET ssl = on")
        try await execute(socketConnection(), "SELECT pg_reload_conf()")
        let place = connection().with("sslmode", "require")
        try await eventually("the server takes encrypted sessions") {
            // Until it has read its settings it refuses.
            (try? await ask(place, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")) == "t"
        }
    }
}

/// Runs `body` with a move between two servers of its own, over TCP; the source is filled before.
public func withMoveFromOwnServers<Result>(
    of definitions: SQL,
    isEncrypted: Bool,
    _ body: (TestMove) async throws -> Result
) async throws -> Result {
    try await withServer(ServerConfiguration(tcp: .anyPort)) { source in
        try await withServer(ServerConfiguration(tcp: .anyPort)) { target in
            try await withTemporaryDirectory { directory in
                var places = (source: source.connection(), target: target.connection(to: "copy"))
                try await execute(places.source, definitions)
                try await execute(target.connection(), "CREATE DATABASE copy")
                if isEncrypted {
                    try await source.encrypt()
                    try await target.encrypt()
                    places.source = places.source.with("sslmode", "require")
                    places.target = places.target.with("sslmode", "require")
                }
                return try await body(TestMove(source: places.source, target: places.target, directory: directory))
            }
        }
    }
}
