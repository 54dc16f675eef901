import Foundation
import Testing

@testable import Move

struct FindingsTests {
    private static let server = Findings.Server(
        version: 150_004,
        versionText: "15.4",
        database: "shop",
        encoding: "UTF8",
        collation: "C",
        bytes: 1_500_000,
        systemIdentifier: "7"
    )

    private static let findings = Findings(
        findings: [
            Finding("source.wal_level", .blocker, "too low", detail: "A fact.\nAnother.", remedy: ["ALTER SYSTEM …;"]),
            Finding("source.version", .pass, "PostgreSQL 15.4"),
            Finding("both.locale", .warning, "sorted otherwise"),
        ],
        source: server,
        target: nil,
        volume: Volume.estimate(tables: [], largeObjects: 0, jobs: 4)
    )

    @Test func `people read a group per server, the worst first, and can copy remedies`() {
        #expect(
            Self.findings.text() == """
                source  database "shop" on PostgreSQL 15.4, UTF8, C, 1.5 MB
                volume  0 tables, 0 bytes and 0 bytes of indexes
                copy    about 0 s, assuming 60.0 MB of tables and indexes per second and job, and that 2 jobs at a time can be that fast

                On the source
                  blocker  too low
                           A fact.
                           Another.
                             ALTER SYSTEM …;
                  ok       PostgreSQL 15.4

                Between them
                  warning  sorted otherwise

                1 blocker, 1 warning, 1 pass

                """
        )
    }

    @Test func `a move that cannot begin shows only problems, and never breaks a remedy`() {
        let text = Self.findings.problems { text, _ in text.split(separator: " ").map(String.init) }
        #expect(
            text == """
                On the source
                  blocker  too
                           low
                           A
                           fact.
                           Another.
                             ALTER SYSTEM …;

                Between them
                  warning  sorted
                           otherwise

                """
        )
    }

    @Test func `the caller colours the pieces`() {
        let text = Self.findings.text(style: { text, style in style == .level(.blocker) ? "<\(text)>" : text })
        #expect(text.contains("  <blocker>  too low"))
    }

    @Test func `machines read the same keys in every version`() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let data = try encoder.encode(Self.findings)
        let text = String(decoding: data, as: UTF8.self)
        #expect(
            text.hasPrefix(
                #"{"findings":[{"check":"source.wal_level","detail":"A fact.\nAnother.","level":"blocker","#
                    + #""message":"too low","remedy":["ALTER SYSTEM …;"],"side":"source"}"#
            )
        )
        for key in ["version_text", "system_identifier", "table_bytes", "index_bytes", "estimated_seconds", "largest"] {
            #expect(text.contains("\"\(key)\":"))
        }
        #expect(try JSONDecoder().decode(Findings.self, from: data) == Self.findings)
    }

    @Test(arguments: [(0.0, "0 s"), (0.2, "1 s"), (119, "119 s"), (3600, "60 min"), (90_000, "25 h 0 min")])
    func `durations are said as people do`(seconds: Double, text: String) {
        #expect(Finding.duration(seconds) == text)
    }
}

/// What cannot be arranged on the servers of a test.
struct ComparisonTests {
    private func ext(
        _ name: String,
        _ installed: String?,
        _ available: String?,
        locked: Bool = false
    )
        -> SourceSurvey.Extension
    {
        SourceSurvey.Extension(name: name, installed: installed, available: available, needsSuperuser: locked)
    }

    @Test(arguments: [
        ("hstore", "postgresql-17"), ("vector", "postgresql-17-pgvector"), ("plpython3u", "postgresql-plpython3-17"),
    ])
    func `an extension that is missing blocks, and its package is named`(name: String, package: String) {
        let findings = TargetChecks.extensions(
            source: [ext(name, "1.0", "1.0")],
            target: [ext("plpgsql", "1.0", "1.0")],
            major: 17,
            denied: []
        )
        #expect(findings.map(\.level) == [.blocker])
        #expect(findings.first?.remedy == ["apt-get install \(package)", "CREATE EXTENSION \"\(name)\";"])
    }

    @Test func `an extension that PostgreSQL no longer has is to be dropped, not installed`() {
        let source = [ext("adminpack", "2.1", "2.1")]
        let found = TargetChecks.extensions(source: source, target: [], major: 17, denied: [])
        #expect(found.map(\.level) == [.blocker])
        #expect(found.first?.remedy == ["DROP EXTENSION \"adminpack\";"])
        let before = TargetChecks.extensions(source: source, target: [], major: 16, denied: [])
        #expect(before.first?.remedy.first == "apt-get install postgresql-16")
    }

    @Test(arguments: [
        ("\"$user\", public", "'$user', 'public'"), ("", "''"), ("\"a, \"\"b\"", "'a, \"b'"), ("\"\", x", "'', 'x'"),
        ("\"\u{301}r\",\u{301}x", "'\u{301}r', '\u{301}x'"),
    ])
    func `a list of names is set name by name`(value: String, list: String) {
        let setting = DatabaseSetting(role: "it's", name: "search_path", value: value)
        #expect(
            setting.command(for: "shop") == "ALTER ROLE \"it's\" IN DATABASE \"shop\" SET \"search_path\" TO \(list);"
        )
    }

    @Test func `an extension that only a superuser creates blocks others`() {
        let source = [ext("file_fdw", "1.0", "1.0", locked: true)]
        let target = [ext("file_fdw", nil, "1.0", locked: true)]
        for (denied, level) in [([], Finding.Level.pass), (["file_fdw"], .blocker)] {
            let found = TargetChecks.extensions(source: source, target: target, major: 17, denied: Set(denied))
            #expect(found.map(\.level) == [level])
        }
    }

    @Test func `an extension of another version is a warning, one that is not installed on the source is nothing`() {
        let source = [ext("hstore", "1.8", "1.8"), ext("cube", nil, "1.5"), ext("ltree", "1.2", "1.2")]
        let target = [ext("hstore", nil, "1.7"), ext("ltree", "1.2", "1.3")]
        let found = TargetChecks.extensionVersions(source: source, target: target)
        #expect(found.map(\.level) == [.warning])
        #expect(found.first?.detail == "\"hstore\" is 1.8 on the source, and will be 1.7.")
    }

    @Test(arguments: [(13, Finding.Level.blocker), (14, .pass), (18, .pass), (19, .warning)])
    func `versions are judged`(major: Int, level: Finding.Level) {
        #expect(ServerChecks.version(major, text: "\(major).1", on: .source).level == level)
    }

    @Test(arguments: [
        ("UTF8", "UTF8", Finding.Level.pass), ("LATIN1", "UTF8", .warning), ("SQL_ASCII", "UTF8", .warning),
        ("UTF8", "LATIN1", .blocker), ("LATIN1", "SQL_ASCII", .blocker),
    ])
    func `encodings are judged`(from: String, to: String, level: Finding.Level) {
        #expect(TargetChecks.encoding(from: from, to: to, database: "shop").level == level)
    }
}
