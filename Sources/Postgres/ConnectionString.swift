private import CLibPQ
import Foundation

/// Where a database is and how to get in: a libpq connection string.
///
/// Takes the URI form (`postgresql://user@host/db?sslmode=require`) and the keyword form
/// (`host=… dbname=…`). What it leaves out comes from where libpq looks: `PG*` variables, the
/// service file, `.pgpass`. Printing it never shows a password.
public struct ConnectionString: Sendable, Hashable {
    private var settings: [String: String]

    /// Parses a connection string.
    ///
    /// - Throws: a ``PostgresError`` when libpq does not understand it; nothing is connected to.
    public init(_ text: String) throws(PostgresError) {
        var reason: UnsafeMutablePointer<CChar>?
        guard let options = unsafe PQconninfoParse(text, &reason) else {
            let detail = unsafe reason.map { unsafe String(cString: $0) }
            unsafe PQfreemem(reason)
            throw PostgresError(
                "could not understand the connection string",
                detail: detail.map { Self.sentence(withoutSecretsOf: text, from: $0) },
                hint: "Write postgresql://user@host:5432/database or \"host=… port=… dbname=… user=…\"."
            )
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
    /// A password on a command line would be readable by everyone on the machine.
    public var forChildProcess: (argument: String, environment: [String: String]) {
        var visible = settings
        var environment: [String: String] = [:]
        if let password = visible.removeValue(forKey: "password") { environment["PGPASSWORD"] = password }
        if let password = visible.removeValue(forKey: "sslpassword") { environment["PGSSLPASSWORD"] = password }
        return (Self.text(of: visible), environment)
    }

    private static func text(of settings: [String: String]) -> String {
        settings.sorted { $0.key < $1.key }.map { keyword, value in
            let escaped = value.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
            return "\(keyword)='\(escaped)'"
        }.joined(separator: " ")
    }

    /// libpq quotes the offending text in its message, and that text may hold the password.
    private static func sentence(withoutSecretsOf text: String, from message: String) -> String {
        let line = message.split(separator: "\n").first.map(String.init) ?? message
        return line.contains(text) ? line.replacing(text, with: "***") : line.replacing(/".*"/, with: "\"***\"")
    }
}

extension ConnectionString: CustomStringConvertible, CustomDebugStringConvertible {
    /// The keyword form with secrets as `***`.
    public var description: String {
        var shown = settings
        for secret in ["password", "sslpassword"] where shown[secret] != nil { shown[secret] = "***" }
        return Self.text(of: shown)
    }

    /// As ``description``.
    public var debugDescription: String { description }

    /// Host, port and database in one short phrase for messages, `db.example.org:5432/shop`.
    public var place: String {
        let host = self["host"] ?? self["hostaddr"] ?? self["service"] ?? ProcessInfo.processInfo.environment["PGHOST"]
        let port = self["port"] ?? ProcessInfo.processInfo.environment["PGPORT"] ?? "5432"
        let database = self["dbname"] ?? ProcessInfo.processInfo.environment["PGDATABASE"] ?? self["user"] ?? ""
        return "\(host ?? "local"):\(port)/\(database)"
    }
}
