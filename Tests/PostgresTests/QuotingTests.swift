import Postgres
import TestSupport
import Testing

/// What is interpolated into SQL comes out of the server as it went in, and does nothing else.
@Suite(.temporaryDatabase)
struct QuotingTests {
    /// Texts of a seed, made of what quoting is about.
    private static func texts(_ count: Int) -> [String] {
        var random = SeededGenerator()
        let pieces = [
            "'", "\"", "\\", "$", "$$", ";", "--", "/*", "*/", "\n", "\r", "\t", "{", "}", "(", ")", ",", "%", "E'",
            "U&'", "\u{301}",
            "🦤", "é", "x", " ", "\u{1}", ":", "@", "\u{200d}", "DROP TABLE public.canary",
        ]
        return (0..<count).map { _ in
            (0..<random.int(1...12)).map { _ in random.pick(pieces) }.joined()
        }
    }

    @Test(arguments: ["on", "off"])
    func `a literal is its text and nothing else`(conforming: String) async throws {
        let place = TemporaryDatabase.current
        try await execute(place, HostileTexts.canary)
        try await withConnection(to: place) { connection in
            let settings: SQL = """
                SET standard_conforming_strings = \(Identifier(conforming)); SET backslash_quote = on;
                SET escape_string_warning = off
                """
            try connection.execute(settings)
            for text in HostileTexts.values + Self.texts(300) {
                let forms: [SQL] = [
                    "SELECT 1,\(literal: text)", "SELECT-1,\(literal: text)--", "SELECT 1,/**/(\(literal: text))",
                ]
                for sql in forms {
                    let found = try connection.query(sql).first?.text(1)
                    #expect(found?.utf8.elementsEqual(text.utf8) == true, "\(text.debugDescription)")
                }
                // Quoted twice, as the body of a DO block is.
                let block: SQL = "BEGIN PERFORM set_config('martlet.test', \(literal: text), false); END"
                try connection.execute("DO \(literal: block.text)")
                let told = try connection.query("SELECT current_setting('martlet.test')").first?.text(0)
                #expect(told?.utf8.elementsEqual(text.utf8) == true, "\(text.debugDescription)")
            }
        }
        #expect(try await HostileTexts.isCanaryAlive(in: place))
    }

    @Test func `an identifier is its name and nothing else`() async throws {
        let place = TemporaryDatabase.current
        try await execute(place, HostileTexts.canary)
        try await withConnection(to: place) { connection in
            let names = (HostileTexts.names + Self.texts(300)).filter { $0.utf8.count <= 63 }
            for name in names {
                let found = try connection.query(
                    "SELECT (json_each(to_json(t))).key FROM (SELECT 1 AS \(Identifier(name))) AS t"
                ).first
                #expect(found?.text(0)?.utf8.elementsEqual(name.utf8) == true, "\(name.debugDescription)")
                let table = QualifiedName(schema: "public", name: name)
                let regclass = try connection.query("SELECT to_regclass(\(literal: table.quoted))::text").first
                if name != "canary" { #expect(regclass?.text(0) == nil) }
            }
        }
        #expect(try await HostileTexts.isCanaryAlive(in: place))
    }
}
