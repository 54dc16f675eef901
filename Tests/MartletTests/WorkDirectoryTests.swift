import Foundation
import Postgres
import TestSupport
import Testing

/// Where a move keeps its files, and what is left of a move that did not begin.
@Suite(.databasePair)
struct WorkDirectoryTests {
    private func migrate(_ directory: String) async throws -> MartletProgram.Outcome {
        let pair = DatabasePair.current
        return try await MartletProgram()(
            "migrate",
            "--once",
            "--source",
            pair.source.secretURI,
            "--target",
            pair.target.secretURI,
            "--work-dir",
            directory
        )
    }

    @Test func `a work directory that cannot be made is an error before anything is made`() async throws {
        let outcome = try await migrate("/proc/martlet/work")
        #expect(outcome.status == 1)
        #expect(
            outcome.error.contains(
                """
                martlet: error: could not make the work directory "/proc/martlet/work"
                DETAIL: /proc/martlet: No such file or directory.
                HINT: 
                """
            ),
            "\(outcome.error)"
        )
        #expect(try await ask(DatabasePair.current.target, "SELECT to_regnamespace('martlet')::text") == nil)
    }

    @Test func `a file is no work directory`() async throws {
        try await withTemporaryDirectory { directory in
            let file = directory + "/file"
            try Data().write(to: URL(filePath: file))
            for path in [file, file + "/below"] {
                let outcome = try await migrate(path)
                #expect(outcome.status == 1)
                #expect(outcome.error.contains("DETAIL: \(path): Not a directory.\nHINT: "), "\(outcome.error)")
            }
        }
    }

    @Test func `a second move that is refused leaves no directory`() async throws {
        let target = DatabasePair.current.target
        try await execute(DatabasePair.current.source, "CREATE TABLE orders (id int PRIMARY KEY)")
        try await withTemporaryDirectory { directory in
            let first = try await migrate(directory + "/first")
            try #require(first.status == 0, "\(first.error)")
            try await withConnection(to: target) { other in
                // The key of the lease: "martlet" in ASCII.
                try other.execute("SELECT pg_advisory_lock(x'6D6172746C6574'::bigint)")
                let second = try await migrate(directory + "/second/work")
                #expect(second.status == 1)
                #expect(second.error.contains("another martlet runs this migration"), "\(second.error)")
            }
            #expect(!FileManager.default.fileExists(atPath: directory + "/second"))
            #expect(FileManager.default.fileExists(atPath: directory + "/first"))
        }
    }
}
