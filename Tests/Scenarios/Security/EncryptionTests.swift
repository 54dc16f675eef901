import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

/// What `sslmode` asks for is what every session of a move gets, and it is shown.
struct EncryptionTests {
    /// Both servers take sessions over TCP with TLS alone, so that a move which succeeds had no other session.
    @Test(.timeLimit(.minutes(5)))
    func `every session of a move is encrypted and verified`() async throws {
        try await withTLSServer { source in
            try await withTLSServer { target in
                try await withTemporaryDirectory { directory in
                    try await execute(
                        source.server.socketConnection(),
                        "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)"
                    )
                    let admin = target.server.socketConnection(to: "copy")
                    try await execute(target.server.socketConnection(), "CREATE DATABASE copy")
                    let watched = try WatchedPrograms(in: directory, before: source.server.binaries)
                    var move = TestMove(
                        source: try source.verified(in: directory),
                        target: try target.verified(to: "copy", in: directory),
                        directory: directory + "/work"
                    )
                    move.program.environment["PATH"] = watched.path
                    let assessed = try await move.run("assess")
                    let shown =
                        "sessions are encrypted with TLSv1.3; the server's certificate is verified, and its host name"
                    #expect(assessed.output.ranges(of: shown).count == 2, "\(assessed.output)")
                    try await move.follow(then: .finish) {
                        try await execute(source.server.socketConnection(), "INSERT INTO t VALUES (2)")
                        for place in [source.server.socketConnection(), admin] {
                            #expect(try await ask(place, Self.unencrypted) == "0")
                            #expect(try await ask(place, Self.encrypted) == "t")
                        }
                    }
                    #expect(watched.arguments.contains("sslmode='verify-full'"))
                    #expect(watched.arguments.contains("sslrootcert='\(directory)"))
                }
            }
        }
    }

    /// Sessions of martlet through TCP, the stream's among them.
    private static let unencrypted: SQL = """
        SELECT count(*) FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid)
         WHERE a.application_name LIKE 'martlet%' AND a.client_addr IS NOT NULL AND NOT s.ssl
        """
    private static let encrypted: SQL = """
        SELECT count(*) > 0 FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid)
         WHERE a.application_name LIKE 'martlet%' AND s.ssl
        """

    @Test(.timeLimit(.minutes(3)))
    func `what cannot be had as it was asked for is refused on either side`() async throws {
        try await withTLSServer { safe in
            try await withServer(ServerConfiguration(tcp: .anyPort)) { plain in
                try await withTemporaryDirectory { directory in
                    let good = try safe.verified(in: directory)
                    let stranger = try await safe.makeCertificate(named: "stranger", in: directory)
                    let refused: [(ConnectionString, because: String, hint: String)] = [
                        (good.with("sslrootcert", stranger), "certificate verify failed", "sslrootcert"),
                        (good.with("sslrootcert", directory + "/none"), "root certificate file", "sslrootcert"),
                        (good.with("host", "localhost"), "does not match host name", "sslmode=verify-ca"),
                        (good.with("sslmode", "disable").with("sslrootcert", nil), "no encryption", "sslmode=require"),
                        (plain.connection().with("sslmode", "require"), "does not support SSL", "ssl = on"),
                        (
                            plain.connection().with("sslmode", "verify-full").with("sslrootcert", stranger),
                            "does not support SSL", "ssl = on"
                        ),
                    ]
                    for (place, reason, hint) in refused {
                        for isSource in [true, false] {
                            let other = good.with("dbname", "postgres")
                            let move = TestMove(
                                source: isSource ? place : other,
                                target: isSource ? other : place,
                                directory: directory + "/work"
                            )
                            for command in ["assess", "migrate"] {
                                let outcome = try await move.run(command)
                                #expect(outcome.status == 1, "\(command): \(outcome.output)\(outcome.error)")
                                #expect(outcome.error.contains(reason), "\(outcome.error)")
                                let words = outcome.error.split(whereSeparator: \.isWhitespace).joined(separator: " ")
                                #expect(words.contains(hint), "\(outcome.error)")
                            }
                        }
                    }
                }
            }
        }
    }

    /// Weaker modes do what they say, and `assess` tells how weak they are.
    @Test(.timeLimit(.minutes(2)))
    func `what is not verified or not encrypted is shown`() async throws {
        try await withTLSServer { safe in
            try await withServer(ServerConfiguration(tcp: .anyPort)) { plain in
                try await withTemporaryDirectory { directory in
                    let good = try safe.verified(in: directory)
                    let shown: [(ConnectionString, String)] = [
                        (
                            good.with("sslmode", "require").with("sslrootcert", nil),
                            "; the server's certificate is not verified"
                        ),
                        (good.with("sslmode", "verify-ca"), "its host name is not"),
                        (good.with("sslmode", "verify-ca").with("host", "localhost"), "its host name is not"),
                        (plain.connection(), "sessions are not encrypted, and do not leave this machine"),
                        (plain.socketConnection(), "sessions go through a Unix socket"),
                    ]
                    for (place, text) in shown {
                        let outcome = try await MartletProgram().run(["assess", "--json", "--source", place.secretURI])
                        #expect(outcome.output.contains(text), "\(outcome.output)\(outcome.error)")
                        #expect(outcome.output.contains(#""check" : "source.encryption""#))
                    }
                }
            }
        }
    }
}

/// A server that takes sessions over TCP only with TLS, and its certificate, which it has signed itself.
private struct TLSServer {
    let server: Server

    /// A connection that verifies the certificate and the host name.
    func verified(to database: String = "postgres", in directory: String) throws -> ConnectionString {
        let file = directory + "/\(server.port ?? 0).crt"
        let certificate = try Data(contentsOf: URL(filePath: server.directory + "/data/server.crt"))
        try certificate.write(to: URL(filePath: file))
        return server.connection(to: database).with("sslmode", "verify-full").with("sslrootcert", file)
    }

    /// Another certificate, of which this server has nothing; returns its file.
    func makeCertificate(named name: String, in directory: String) async throws -> String {
        try await server.makeCertificate(named: name)
        let file = directory + "/\(name).crt"
        try Data(contentsOf: URL(filePath: server.directory + "/data/\(name).crt")).write(to: URL(filePath: file))
        return file
    }
}

/// Runs `body` with a server with TLS.
private func withTLSServer(_ body: (TLSServer) async throws -> Void) async throws {
    try await withServer(ServerConfiguration(tcp: .anyPort)) { server in
        let rules =
            "local all all trust\\nhostssl all all 127.0.0.1/32 scram-sha-256\\nhostssl replication all 127.0.0.1/32 scram-sha-256"
        try await execute(
            server.socketConnection(),
            "COPY (SELECT 1) TO PROGRAM \(literal: "cat >/dev/null; printf '\(rules)\\n' >pg_hba.conf")"
        )
        try await server.encrypt()
        try await body(TLSServer(server: server))
    }
}
