import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

/// Passwords are in no log, no journal, no message, no command line, whatever happens to a move.
struct SecretsTests {
    @Test(.timeLimit(.minutes(5)))
    func `passwords in connection strings are told to nobody`() async throws {
        try await SecretMove.with { move in
            let environment = [
                "MARTLET_SOURCE": move.secretSource.secretURI, "MARTLET_TARGET": move.secretTarget.secretText,
            ]
            let seen = try await move.watchingProcesses {
                try await failures(of: move, environment)
                try await thereAndBack(move, environment)
            }
            #expect(seen > 3)
            try await move.expectSilence()
            // The password got to pg_dump all the same; without that nothing here would have been tried.
            #expect(move.watched.environment.contains("PGPASSWORD=" + (move.secretSource["password"] ?? "?")))
            #expect(move.watched.arguments.contains("--dbname=") && move.watched.arguments.contains("pg_restore"))
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `passwords in a password file and a service file are told to nobody`() async throws {
        try await SecretMove.with { move in
            let environment = try environmentOfFiles(move)
            try await move.watchingProcesses {
                #expect(try await move.run(["assess"], environment).status == 0)
                let migration = try await move.run(["migrate"], environment) { process in
                    try await following(move).untilFollowing(process)
                    try await move.expectSilence()
                    #expect(try await move.run(["verify", "--schema"], environment).status == 0)
                    #expect(try await move.run(["cutover"], environment).status == 0)
                    try await execute(move.adminTarget, "INSERT INTO t (v) VALUES ('new')")
                    #expect(try await move.run(["finish"], environment).status == 0)
                }
                #expect(migration.status == 0, "\(migration.error)")
            }
            try await move.expectSilence()
            #expect(move.watched.arguments.contains("--dbname="))
        }
    }

    /// The source's password is in a service file, the target's in a password file.
    private func environmentOfFiles(_ move: SecretMove) throws -> [String: String] {
        let (services, passwords) = (move.directory + "/services", move.directory + "/passwords")
        let source = move.secretSource
        let keywords = ["host", "port", "dbname", "user", "password"].map { "\($0)=\(source[$0] ?? "")\n" }
        try PrivateText.write("[old]\n" + keywords.joined(), to: services)
        let target = move.secretTarget
        let secret = (target["password"] ?? "").replacing("\\", with: "\\\\").replacing(":", with: "\\:")
        try PrivateText.write("*:\(target["port"] ?? ""):shop:app:\(secret)\n", to: passwords)
        return [
            "PGSERVICEFILE": services, "MARTLET_SOURCE": "service=old",
            "MARTLET_TARGET": target.with("password", nil).with("passfile", passwords).secretText,
        ]
    }

    // MARK: The story

    /// What looks at the move from aside, by ways that need no password.
    private func following(_ move: SecretMove) -> TestMove {
        TestMove(source: move.adminSource, target: move.adminTarget, directory: move.directory)
    }

    /// What goes wrong before a move begins.
    private func failures(of move: SecretMove, _ environment: [String: String]) async throws {
        func expectFailure(_ variable: String, _ place: String, _ status: Int32, because reason: String) async throws {
            for command in ["assess", "migrate", "verify"] {
                let outcome = try await move.run([command], environment.merging([variable: place]) { $1 })
                #expect(outcome.status == status, "\(command): \(outcome.output)\(outcome.error)")
                #expect(outcome.error.contains(reason), "\(command): \(outcome.error)")
            }
        }
        let (source, target) = (move.secretSource, move.secretTarget)
        // Each one's password is the other's wrong one.
        let wrong = source.with("password", target["password"])
        try await expectFailure("MARTLET_SOURCE", wrong.secretURI, 1, because: "password authentication failed")
        let gone = target.with("port", "1")
        try await expectFailure("MARTLET_TARGET", gone.secretText, 1, because: "could not connect")
        // A password that was not encoded, as people write them.
        let secret = source["password"] ?? ""
        let raw = "postgresql://app:\(secret)@127.0.0.1:\(source["port"] ?? "")/shop"
        try await expectFailure("MARTLET_SOURCE", raw, 64, because: "could not understand the connection string")
        try await expectFailure("MARTLET_SOURCE", "host=h password=\(secret)", 64, because: "could not understand")
    }

    /// A move that crashes, whose target dies, and that goes there and back.
    private func thereAndBack(_ move: SecretMove, _ environment: [String: String]) async throws {
        let look = following(move)
        let crashed = try await move.run(["migrate"], environment) { process in
            try await look.untilFollowing(process)
            kill(process, SIGABRT)
        }
        #expect(crashed.status == 128 + SIGABRT, "\(crashed.error)")
        #expect(!crashed.error.contains("crashed:"), "\(crashed.error)")
        let migration = try await move.run(["migrate"], environment) { process in
            try await look.untilFollowing(process)
            try await move.expectSilence()
            move.target.kill(SIGKILL)
            try await move.target.waitUntilGone()
            #expect(try await move.run(["status"], environment).status == 1)
            #expect(try await move.run(["verify"], environment).status == 1)
            try await move.target.start()
            try await execute(move.adminSource, "INSERT INTO t (v) VALUES ('later')")
            try await look.untilFollowing(process)
            for command in [
                ["verify", "--json"], ["status", "--json"], ["status"], ["cutover", "--dry-run"], ["cutover"],
            ] {
                let outcome = try await move.run(command, environment)
                #expect(outcome.status == 0, "\(command): \(outcome.output)\(outcome.error)")
            }
            try await move.expectSilence()
            #expect(try await move.run(["rollback"], environment).status == 0)
        }
        #expect(migration.status == 0, "\(migration.error)")
        try await move.expectSilence()
        #expect(try await move.run(["abort"], environment).status == 0)
    }
}

/// A file with passwords, which libpq reads only when nobody else may.
private enum PrivateText {
    static func write(_ text: String, to path: String) throws {
        try Data(text.utf8).write(to: URL(filePath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    }
}
