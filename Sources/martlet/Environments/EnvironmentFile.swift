import Catalog
import Fields
import Foundation
import Postgres

/// `martlet.yaml`: the databases of one application, by name.
///
///     environments:
///       dev:
///         connection: postgresql://app@localhost/shop_dev
///         schema: db/schema.sql
///         seed: [db/seed.sql, db/examples.sql]
///       prod:
///         connection: { host: db.example.org, dbname: shop, user: app, sslmode: verify-full }
///         password: { variable: SHOP_PASSWORD }
///       try: { sandbox: shop, database: shop }
///
/// Paths are seen from the file. An environment called `prod` or `production` is protected unless it says otherwise.
struct EnvironmentFile: Sendable {
    static let name = "martlet.yaml"

    /// The file.
    let url: URL
    /// Its environments, as they stand in it.
    let environments: [NamedEnvironment]

    /// Finds the file: the one that is given, that of `MARTLET_CONFIG`, or the nearest of the folders from here upwards.
    ///
    /// - Throws: when one that is named is not there, or it cannot be understood; without any it is nil.
    static func find(_ given: String?) throws -> EnvironmentFile? {
        let named = given ?? ProcessInfo.processInfo.environment["MARTLET_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        if let named { return try EnvironmentFile(at: URL(filePath: named).absoluteURL.standardized) }
        var folder = URL(filePath: FileManager.default.currentDirectoryPath, directoryHint: .isDirectory).standardized
        while true {
            let url = folder.appending(path: name)
            if FileManager.default.fileExists(atPath: url.path) {
                try refuseForeign(url)
                return try EnvironmentFile(at: url)
            }
            let parent = folder.deletingLastPathComponent().standardized
            guard parent.path != folder.path, folder.path != "/" else { return nil }
            folder = parent
        }
    }

    /// Refuses a file that somebody else could have put there: it names commands, which are run.
    private static func refuseForeign(_ url: URL) throws {
        var facts = stat()
        guard stat(url.path, &facts) == 0 else { return }
        let sudo = ProcessInfo.processInfo.environment["SUDO_UID"].flatMap { UInt32($0) }
        guard ![geteuid(), 0].contains(facts.st_uid) && facts.st_uid != sudo || facts.st_mode & S_IWOTH != 0 else {
            return
        }
        throw PostgresError(
            "file \"\(url.path)\" may be another's",
            detail: "It belongs to another account, or everybody may write it, and what it says is run.",
            hint: "When it is yours: --config \(ShellWord(url.path))"
        )
    }

    /// Reads the file.
    init(at url: URL) throws {
        let text: String
        do {
            text = try String(contentsOf: url, encoding: .utf8)
        } catch {
            throw PostgresError(
                "could not read the file \"\(url.path)\"",
                detail: error.localizedDescription,
                hint: "It is text in UTF-8; --config and MARTLET_CONFIG name another one."
            )
        }
        try self.init(parsing: text, at: url)
    }

    /// Reads the text of a file.
    init(parsing text: String, at url: URL) throws(PostgresError) {
        self.url = url
        let file = FieldFile(
            title: "file \"\(url.path)\"",
            form: "It is YAML: environments, each with a name, and in each a connection.",
            hint: "Nothing in it is ignored; docs/guide/everyday.md shows what may stand there."
        )
        var top = try FieldReader(FieldNode(parsing: text, as: file), title: "the top", of: file)
        guard var list = try top.fields("environments") else { throw top.refusal("It has no \"environments\".") }
        try top.finish()
        var environments: [NamedEnvironment] = []
        for name in list.names {
            guard var fields = try list.fields(name) else {
                throw list.refusal("Environment \"\(name)\" is empty.", hint: "Give it a connection.")
            }
            environments.append(try Self.environment(name, &fields, in: url.deletingLastPathComponent()))
        }
        guard !environments.isEmpty else { throw top.refusal("It has no environment.") }
        self.environments = environments
    }

    /// The environment of a name.
    ///
    /// - Throws: an error that lists those that there are.
    func environment(_ name: String) throws -> NamedEnvironment {
        if let found = environments.first(where: { $0.name == name }) { return try found.onItsSandbox() }
        throw PostgresError(
            "there is no environment \"\(name)\"",
            detail: "File \"\(url.path)\" has these: \(environments.map(\.name).joined(separator: ", "))."
        )
    }

    // MARK: Reading

    private static func environment(
        _ name: String,
        _ fields: inout FieldReader,
        in folder: URL
    ) throws(PostgresError) -> NamedEnvironment {
        func urls(_ paths: [String]) -> [URL] { paths.map { URL(filePath: $0, relativeTo: folder).absoluteURL } }
        let (place, sandbox) = try place(&fields)
        let password = try password(&fields, in: folder)
        let isProtected = try fields.optionalFlag("protected") ?? ["prod", "production"].contains(name)
        let (schema, seed) = (urls(try fields.texts("schema")), urls(try fields.texts("seed")))
        let variables = try fields.fields("variables").map { reader throws(PostgresError) in try texts(reader) } ?? [:]
        try fields.finish()
        return NamedEnvironment(
            name: name,
            place: place,
            sandbox: sandbox,
            password: password,
            isProtected: isProtected,
            schema: schema,
            seed: seed,
            variables: variables
        )
    }

    /// A connection string, an object of libpq's keywords, or a database of a sandbox.
    ///
    /// Of a sandbox only the database is in it, as the sandbox need not be there yet.
    private static func place(
        _ fields: inout FieldReader
    ) throws(PostgresError) -> (connection: ConnectionString, sandbox: String?) {
        let (sandbox, database) = (try fields.optionalText("sandbox"), try fields.optionalText("database"))
        let node = fields.node("connection")
        guard let sandbox else {
            if database != nil { throw fields.refusal("\"database\" goes with \"sandbox\"; a connection has dbname.") }
            let place = try connection(node, of: fields)
            // PGHOSTADDR would lead to another server than the one that is named.
            return (place["host"] == nil || place["hostaddr"] != nil ? place : place.with("hostaddr", ""), nil)
        }
        guard node == nil else { throw fields.refusal("It has a \"sandbox\" and a \"connection\".") }
        return (ConnectionString(settings: ["dbname": database ?? "postgres"]), sandbox)
    }

    private static func connection(_ node: FieldNode?, of fields: FieldReader) throws(PostgresError) -> ConnectionString
    {
        switch node {
        case .text(let text): return try ConnectionString(text)
        case .fields(let parts):
            var settings: [String: String] = [:]
            for (keyword, value) in parts {
                guard case .text(let text) = value else {
                    throw fields.refusal("\"\(keyword)\" of its connection is \(value.description).")
                }
                settings[keyword] = text
            }
            // libpq says which keyword it does not know.
            return try ConnectionString(ConnectionString(settings: settings).secretText)
        default:
            throw fields.refusal(
                "It has no \"connection\".",
                hint: "Give it a connection string, or an object of host, port, dbname, user and so on."
            )
        }
    }

    private static func password(_ fields: inout FieldReader, in folder: URL) throws(PostgresError) -> PasswordPlace? {
        guard let node = fields.node("password") else { return nil }
        // A password that stands there is not shown.
        guard case .fields = node else {
            throw fields.refusal("Its \"password\" does not say where it is kept.", hint: Self.places)
        }
        var place = try fields.reader(of: node, title: "\(fields.title), \"password\"")
        let (variable, file) = (try place.optionalText("variable"), try place.optionalText("file"))
        let command = try place.optionalText("command")
        try place.finish()
        let places: [PasswordPlace] = [
            variable.map { .variable($0) }, file.map { .file(URL(filePath: $0, relativeTo: folder).absoluteURL) },
            command.map { .command($0) },
        ].compactMap(\.self)
        guard places.count == 1 else {
            throw place.refusal("It says \(places.count == 0 ? "nothing" : "more than one thing").", hint: Self.places)
        }
        return places.first
    }

    private static let places = "Say where it is kept: { variable: NAME }, { file: PATH } or { command: TEXT }."

    private static func texts(_ reader: FieldReader) throws(PostgresError) -> [String: String] {
        var (reader, texts) = (reader, [String: String]())
        for name in reader.names { texts[name] = try reader.text(name) }
        return texts
    }
}
