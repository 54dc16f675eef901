private import CLibPQ
import Foundation

/// Where a database is and how to get in: a libpq connection string.
///
/// Takes the URI form (`postgresql://user@host/db?sslmode=require`) and the keyword form
/// (`host=… dbname=…`). What it leaves out comes from where libpq looks: `PG*` variables, the
/// service file, `.pgpass`. Printing it never shows a password.
public struct ConnectionString: Sendable, Hashable {
    /// Libpq's keywords with their values; the password is among them.
    package private(set) var settings: [String: String]

    /// Parses a connection string; nothing is connected to.
    ///
    /// Throws a ``PostgresError`` when libpq does not understand it, or when it understands a part
    /// of a password as something else, such as the `ss@host` of `postgresql://user:pa/ss@host/db`.
    public init(_ text: String) throws(PostgresError) {
        guard !text.utf8.contains(0) else { throw Self.malformed("It holds a zero byte.") }
        var reason: UnsafeMutablePointer<CChar>?
        guard let options = unsafe PQconninfoParse(text, &reason) else {
            let message = unsafe reason.map { unsafe String(cString: $0) } ?? "out of memory"
            unsafe PQfreemem(reason)
            throw Self.malformed("libpq says: \(Self.withoutSecrets(message, text)).")
        }
        defer { unsafe PQconninfoFree(options) }
        settings = [:]
        var option = unsafe options
        while let keyword = unsafe option.pointee.keyword {
            if let value = unsafe option.pointee.val {
                unsafe settings[String(cString: keyword)] = String(cString: value)
            }
            unsafe option += 1
        }
        if let complaint = Self.misreading(of: text, as: settings) { throw Self.malformed(complaint) }
    }

    /// A connection string of settings that we chose ourselves.
    package init(settings: [String: String]) {
        self.settings = settings
    }

    /// The value given for a libpq keyword; nil when it was left to libpq's defaults.
    public subscript(keyword: String) -> String? { settings[keyword] }

    /// The libpq keywords that have a value.
    var keywords: [String] { Array(settings.keys) }

    /// The same place with one setting changed, or removed by nil.
    public func with(_ keyword: String, _ value: String?) -> Self {
        var copy = self
        copy.settings[keyword] = value
        return copy
    }

    /// The same place with a setting added unless the operator gave one.
    package func withDefault(_ keyword: String, _ value: String) -> Self {
        self[keyword] == nil ? with(keyword, value) : self
    }

    /// The keyword form with everything in it, the password too: for libpq alone.
    package var secretText: String { Self.text(of: settings) }

    /// Keyword form without the password, and the environment that carries it: what a child process such as pg_dump gets.
    ///
    /// A password on a command line would be readable by everyone on the machine. Other secrets, such
    /// as the passphrase of a client key, have no variable and are left out: the child asks or fails.
    public var forChildProcess: (argument: String, environment: [String: String]) {
        var visible = settings
        var environment: [String: String] = [:]
        if let password = visible.removeValue(forKey: "password") { environment["PGPASSWORD"] = password }
        for secret in Self.secrets { visible[secret] = nil }
        return (Self.text(of: visible), environment)
    }

    /// The keywords that libpq itself never shows.
    private static let secrets = [
        "password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key",
    ]

    private static func text(of settings: [String: String]) -> String {
        settings.sorted { $0.key < $1.key }.map { keyword, value in
            "\(keyword)='\(value.prefixing(["\\", "'"], with: "\\"))'"
        }.joined(separator: " ")
    }

    private static func malformed(_ detail: String) -> PostgresError {
        PostgresError(
            "could not understand the connection string",
            detail: detail,
            hint: """
                Write postgresql://user@host:5432/database or "host=… port=… dbname=… user=…". In the first form \
                write %40 for @, %2F for /, %3A for : and %25 for % in a password; in the second put single quotes \
                around a value with spaces, and a backslash before a quote or a backslash.
                """
        )
    }

    /// An option's name is shown, so that it can be corrected, unless it may be the rest of a password that holds a
    /// space, a question mark or an ampersand.
    private static func withoutSecrets(_ message: String, _ text: String) -> String {
        let parts = message.split(separator: "\"", omittingEmptySubsequences: false)
        guard parts.count == 3, ["invalid connection option ", "invalid URI query parameter: "].contains(parts[0]),
            parts[1].wholeMatch(of: /[A-Za-z_]+/) != nil,
            let place = text.range(of: parts[1] + "=")
        else { return withoutQuotes(message) }
        let (before, after) = (text[..<place.lowerBound], text[place.upperBound...])
        let isInPassword = before.contains("pass") || before.contains("secret") || after.contains("@")
        return isInPassword ? withoutQuotes(message) : message.trimmingCharacters(in: .newlines)
    }

    /// libpq quotes the offending text in its message, and that text may be a part of the password,
    /// with quotes and line ends of its own: so everything from the first quote to the last is hidden.
    private static func withoutQuotes(_ message: String) -> String {
        let scalars = message.unicodeScalars
        guard let first = scalars.firstIndex(of: "\""), let last = scalars.lastIndex(of: "\"") else {
            return message.trimmingCharacters(in: .newlines)
        }
        let rest = String(scalars[scalars.index(after: last)...])
        return String(scalars[..<first]) + "\"***\"" + rest.trimmingCharacters(in: .newlines)
    }

    /// Says so when a part of a password must have become a host, a port or a database, which are shown to people.
    private static func misreading(of text: String, as settings: [String: String]) -> String? {
        let port = settings["port"] ?? ""
        guard port.allSatisfy({ $0.isASCII && $0.isNumber || $0 == "," || $0 == " " }) else {
            return "The port is not a number."
        }
        if settings["dbname"]?.contains("://") == true { return "The database's name is a connection string itself." }
        guard text.hasPrefix("postgres://") || text.hasPrefix("postgresql://") else { return nil }
        // One @ follows the user; more of them, or one without a user, are not what was meant.
        let stray = text.unicodeScalars.count { $0 == "@" } > (settings["user"] == nil ? 0 : 1)
        // An abstract Unix socket begins with @.
        let hasSign = settings["dbname"]?.contains("@") == true || settings["host"]?.dropFirst().contains("@") == true
        return stray && hasSign ? "There is an @ in the host or the database." : nil
    }
}

extension ConnectionString: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// What `dump` and a test's failed expectation print: nothing that ``description`` hides.
    public var customMirror: Mirror { Mirror(self, children: ["description": description]) }

    /// The keyword form with secrets as `***`.
    public var description: String {
        var shown = settings
        for secret in Self.secrets where shown[secret] != nil { shown[secret] = "***" }
        return Self.text(of: shown)
    }

    /// As ``description``.
    public var debugDescription: String { description }

    /// Host, port and database in one short phrase for messages, `db.example.org:5432/shop`.
    ///
    /// With the name of a service instead of a host, what is not given besides is in its file: `service old`.
    public var place: String {
        var host = self["host"] ?? self["hostaddr"]
        if host == nil, let service = self["service"] {
            let (port, database) = (self["port"].map { ":" + $0 }, self["dbname"].map { "/" + $0 })
            return "service \(service)\(port ?? "")\(database ?? "")"
        }
        host = host ?? ProcessInfo.processInfo.environment["PGHOST"]
        let port = self["port"] ?? ProcessInfo.processInfo.environment["PGPORT"] ?? "5432"
        let database = self["dbname"] ?? ProcessInfo.processInfo.environment["PGDATABASE"] ?? self["user"] ?? ""
        return "\(host ?? "local"):\(port)/\(database)"
    }
}
