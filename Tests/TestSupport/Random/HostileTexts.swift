public import Postgres

/// Names and values that become statements of their own wherever they are taken for SQL: each would then drop `public.canary`.
///
/// They break out of double quotes, quotes, `E''`, dollar quotes, comments, COPY, arrays, patterns and format strings.
public enum HostileTexts {
    /// The table that nobody may touch, with one row.
    public static let canary: SQL = "CREATE TABLE public.canary AS SELECT 1 AS id"

    private static let drop = "DROP TABLE public.canary"

    /// Names of at most 63 bytes.
    public static let names: [String] =
        values.filter { !$0.isEmpty && $0.utf8.count <= 63 } + [
            "m on public.canary RENAME TO n; --", "public.canary", "public x", "public", "a martlet", "SELECT", "order",
            String(repeating: "🐘", count: 15) + "\"';", String(repeating: "\"", count: 63), "the owner", "x by y, z",
            " leading and trailing ", "*", "?", "a*b?", "%", "_",
        ]

    /// Values of any length.
    public static let values: [String] = [
        "a\"; \(drop); --", "b'; \(drop); --", "c\\'; \(drop); --", "d''; \(drop); --", "e\"\"; \(drop); --",
        "f$$; \(drop); --", "g$martlet$; \(drop); --", "h*/; \(drop); /*", "i\n; \(drop); --", "j\r\n; \(drop); --",
        "k); \(drop); --", "l'::text); \(drop); --", "n\\n'; \(drop); --", "o%s%I%L%%'; \(drop); --",
        "p{}{0}\\(x)'; \(drop); --", "q$1'; \(drop); --", "'\u{301}; \(drop); --", "\"\u{301}; \(drop); --",
        "\\\u{301}'; \(drop); --", "\u{301}r", "\\.", "\\.\n\(drop);\n", "\\N", "\\! \(drop)", "\\restrict x",
        "\t\u{1}\u{1b}[2J",
        "NULL", "{\"a\",NULL}", "(1,\"x\")", "--", "/*", ";", "'", "\"", "\\", "$$", "é🦤\u{202e}x", "", "\u{feff}bom",
        String(repeating: "'\\\"", count: 5000),
    ]

    /// A text between quotes, as SQL and SQLite write it: not by characters, which may be a quote and its accent.
    public static func doublingQuotes(of text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.flatMap { $0 == "'" ? [$0, $0] : [$0] }))
    }

    /// Makes a statement on the server, which does the quoting, so that ours is not tested by itself.
    ///
    /// `pattern`: as `format()` takes it, `%1$I` for the first of `texts` as a name and `%1$L` as a value.
    public static func execute(_ pattern: String, _ texts: [String], on connection: Connection) throws {
        try connection.execute(statement(pattern, texts, on: connection))
    }

    /// As ``execute(_:_:on:)``; returns the first value of the answer.
    public static func query(_ pattern: String, _ texts: [String], on connection: Connection) throws -> String? {
        try connection.query(statement(pattern, texts, on: connection)).first?.text(0)
    }

    private static func statement(_ pattern: String, _ texts: [String], on connection: Connection) throws -> SQL {
        let rows = try connection.query("SELECT format($1::text, VARIADIC $2::text[])", pattern, texts)
        return SQL(trusting: rows.first?.text(0) ?? "")
    }

    /// Whether the canary lives, with its row and its columns.
    public static func isCanaryAlive(in place: ConnectionString) async throws -> Bool {
        try await ask(
            place,
            """
            SELECT string_agg(t::text, '') = '(1)' AND (SELECT count(*) FROM pg_attribute
                       WHERE attrelid = 'public.canary'::regclass AND attnum > 0 AND attname = 'id') = 1
              FROM public.canary AS t
            """
        ) == "t"
    }
}
