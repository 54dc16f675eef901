import Foundation
public import Postgres

/// Questions of the user that must have the same answer on source and target: a file of SELECTs.
///
/// Statements end with a semicolon. A line `-- name: …` before a statement names it:
///
///     -- name: open orders
///     SELECT count(*), sum(total) FROM orders WHERE state = 'open';
///
/// Rows are compared in the order in which they come, so a statement with several rows needs an
/// ORDER BY. Tables are found by the role's own `search_path`.
public struct CheckFile: Sendable, Hashable {
    /// One statement.
    public struct Check: Sendable, Hashable {
        /// The name it was given, or where it stands.
        public let name: String
        /// The statement as it was written.
        public let sql: SQL
        /// The line at which it begins, counted from 1.
        public let line: Int
    }

    /// The statements in the order of the file.
    public let checks: [Check]

    /// Parses a file's text.
    ///
    /// - Throws: when a quote or a comment is not closed, or a statement is no query.
    public init(parsing text: String) throws(PostgresError) {
        var scanner = StatementScanner(text)
        var checks: [Check] = []
        while let statement = try scanner.next() {
            guard Self.isQuery(statement.firstWord) else { throw Self.noQuery(statement) }
            checks.append(
                Check(
                    name: statement.name ?? "statement at line \(statement.line)",
                    sql: SQL(trusting: statement.text),
                    line: statement.line
                )
            )
        }
        self.checks = checks
    }

    private static func isQuery(_ word: String) -> Bool {
        ["select", "with", "values", "table", "("].contains(word.lowercased())
    }

    private static func noQuery(_ statement: StatementScanner.Statement) -> PostgresError {
        PostgresError(
            "cannot use the statement at line \(statement.line) as a check",
            detail: "It begins with \"\(statement.firstWord)\".",
            hint: "Write a SELECT, or a WITH, VALUES or TABLE that returns rows."
        )
    }
}

/// Cuts a text into SQL statements at the semicolons that are outside of quotes and comments.
///
/// The lexical rules are those of the manual's section "Lexical Structure".
struct StatementScanner {
    struct Statement {
        var text: String
        var name: String?
        var line: Int
        var firstWord: String
    }

    private let input: [Unicode.Scalar]
    private var place = 0
    private var line = 1

    init(_ text: String) {
        input = Array(text.unicodeScalars)
    }

    /// The next statement that is not empty.
    mutating func next() throws(PostgresError) -> Statement? {
        var name: String?
        var start: (place: Int, line: Int)?
        while place < input.count {
            let character = input[place]
            if character == ";" {
                place += 1
                guard let start else { continue }
                return statement(from: start, to: place - 1, name: name)
            }
            if let comment = try skipComment() {
                if start == nil, let found = Self.name(in: comment) { name = found }
                continue
            }
            if start == nil, !character.properties.isWhitespace { start = (place, line) }
            try skipToken()
        }
        return start.map { statement(from: $0, to: input.count, name: name) }
    }

    private func statement(from start: (place: Int, line: Int), to end: Int, name: String?) -> Statement {
        let text = String(String.UnicodeScalarView(input[start.place..<end]))
        let word = text.prefix { $0.isLetter }
        return Statement(
            text: text.trimmingCharacters(in: .whitespacesAndNewlines),
            name: name,
            line: start.line,
            firstWord: word.isEmpty ? String(text.prefix(1)) : String(word)
        )
    }

    private static func name(in comment: String) -> String? {
        guard let match = comment.firstMatch(of: /^--\s*name:\s*(.+)$/) else { return nil }
        return match.1.trimmingCharacters(in: .whitespaces)
    }

    private func peek(_ offset: Int = 0) -> Unicode.Scalar? {
        place + offset < input.count ? input[place + offset] : nil
    }

    private mutating func advance(_ count: Int = 1) {
        for _ in 0..<count where place < input.count {
            if input[place] == "\n" { line += 1 }
            place += 1
        }
    }

    /// Passes over a comment and returns it; nil when there is none here.
    private mutating func skipComment() throws(PostgresError) -> String? {
        let start = place
        if peek() == "-", peek(1) == "-" {
            while let character = peek(), character != "\n" { advance() }
        } else if peek() == "/", peek(1) == "*" {
            let begin = line
            var depth = 0
            repeat {
                guard peek() != nil else { throw Self.unclosed("comment", line: begin) }
                if peek() == "/", peek(1) == "*" {
                    depth += 1
                    advance(2)
                } else if peek() == "*", peek(1) == "/" {
                    depth -= 1
                    advance(2)
                } else {
                    advance()
                }
            } while depth > 0
        } else {
            return nil
        }
        return String(String.UnicodeScalarView(input[start..<place]))
    }

    /// Passes over a quoted text, a word, or one character.
    private mutating func skipToken() throws(PostgresError) {
        switch peek() {
        case "'": try skipQuoted("'", escapes: false)
        case "\"": try skipQuoted("\"", escapes: false)
        case "$": try skipDollarQuoted()
        case let character? where Self.isWord(character):
            let isEscape = (character == "e" || character == "E") && peek(1) == "'"
            if isEscape {
                advance()
                return try skipQuoted("'", escapes: true)
            }
            // A dollar sign within a word does not begin a quote.
            while let character = peek(), Self.isWord(character) || character == "$" { advance() }
        default: advance()
        }
    }

    private mutating func skipQuoted(_ quote: Unicode.Scalar, escapes: Bool) throws(PostgresError) {
        let begin = line
        advance()
        while let character = peek() {
            if character == quote {
                // A doubled quote is one character of the text, and looks like two texts side by side.
                return advance()
            }
            advance(escapes && character == "\\" ? 2 : 1)
        }
        throw Self.unclosed("quote", line: begin)
    }

    private mutating func skipDollarQuoted() throws(PostgresError) {
        let begin = line
        var length = 1
        while let character = peek(length), Self.isWord(character) { length += 1 }
        let startsWithDigit = peek(1).map { ("0"..."9").contains($0) } ?? false
        guard peek(length) == "$", !startsWithDigit else { return advance() }
        let tag = Array(input[place...place + length])
        advance(tag.count)
        while place + tag.count <= input.count {
            if Array(input[place..<place + tag.count]) == tag { return advance(tag.count) }
            advance()
        }
        throw Self.unclosed("dollar quote", line: begin)
    }

    private static func isWord(_ character: Unicode.Scalar) -> Bool {
        character == "_" || character.properties.isAlphabetic || ("0"..."9").contains(character)
    }

    private static func unclosed(_ what: String, line: Int) -> PostgresError {
        PostgresError(
            "could not read the checks",
            detail: "The \(what) that begins at line \(line) has no end.",
            hint: "Close it."
        )
    }
}
