public import Foundation
public import Postgres

/// The definitions of a database, as `pg_dump` wrote them: everything but rows.
public struct SchemaArchive: Sendable {
    /// What is taken over.
    public struct Options: Sendable, Hashable, Codable {
        /// Whether objects keep their owners.
        public var keepsOwners = true
        /// Whether GRANTs are taken over.
        public var keepsPrivileges = true

        /// Whether objects go into tablespaces of the same names; otherwise into the default one.
        public var keepsTablespaces = true

        /// Takes everything over.
        public init() {}
    }

    /// One line of an archive's table of contents.
    public struct Entry: Sendable, Hashable {
        /// The line, as pg_restore takes it back with `--use-list`.
        public let line: String
        private let descriptionStart: String.Index
        /// The OID of the catalog that the object is in, 1259 for pg_class; 0 for objects that have none.
        public let catalog: UInt32
        /// The object's OID on the source.
        public let oid: UInt32
        /// The line's own number.
        let id: Int
        /// The numbers of the lines that must come before it.
        var needs: [Int] = []
        /// When it is needed; nil for what is neither before nor after the rows.
        var section: Section?

        /// Reads `3391; 1259 16390 INDEX shop orders_pkey owner`; nil for a line that is no entry.
        init?(_ line: Substring) {
            guard let semicolon = line.firstIndex(of: ";"), let id = Int(line[..<semicolon]) else { return nil }
            let fields = line[line.index(after: semicolon)...].split(separator: " ", maxSplits: 2)
            guard fields.count == 3, let catalog = UInt32(fields[0]), let oid = UInt32(fields[1]) else { return nil }
            (self.id, self.catalog, self.oid) = (id, catalog, oid)
            self.line = String(line)
            let length = line.utf8.distance(from: line.startIndex, to: fields[2].startIndex)
            descriptionStart = self.line.utf8.index(self.line.startIndex, offsetBy: length)
        }

        /// What follows the numbers: type, schema, name, owner.
        public var description: Substring { line[descriptionStart...] }

        /// What an entry is, as far as it matters when.
        public enum Kind: Sendable, Hashable {
            /// A schema.
            case schema
            /// GRANT and REVOKE.
            case privileges
            /// ALTER DEFAULT PRIVILEGES.
            case defaultPrivileges
            /// Anything else.
            case other
        }

        /// What it is.
        public var kind: Kind {
            if description.begins(with: "SCHEMA - ") { return .schema }
            if description.begins(with: "ACL ") { return .privileges }
            return description.begins(with: "DEFAULT ACL ") ? .defaultPrivileges : .other
        }

        /// Whether it is a schema, or what is granted on one; of this name or, without one, of any.
        ///
        /// The owner, who comes last, may be missing, and is looked at by nobody.
        public func isOfSchema(_ name: String? = nil) -> Bool {
            let starts = ["SCHEMA - ", "ACL - SCHEMA "].map { $0 + (name.map { $0 + " " } ?? "") }
            return starts.contains { description.begins(with: $0) }
        }
    }

    private let programs: Installation
    private let options: Options
    private let file: URL

    /// The table of contents, in the order of restoring.
    public let entries: [Entry]

    /// Dumps the definitions that are visible in `snapshot`.
    ///
    /// Tables in `excluding` are left out with all that belongs to them, and so are `dependents`.
    public static func dump(
        _ source: ConnectionString,
        snapshot: String?,
        excluding tables: [QualifiedName],
        leavingOut dependents: [Dependent] = [],
        options: Options,
        with programs: Installation,
        to file: URL
    ) async throws -> SchemaArchive {
        let (conninfo, secrets) = source.forChildProcess
        var arguments = ["--format=custom", "--schema-only", "--no-subscriptions", "--encoding=UTF8"]
        arguments.append("--file=\(file.path)")
        if let snapshot { arguments.append("--snapshot=\(snapshot)") }
        if !options.keepsOwners { arguments.append("--no-owner") }
        if !options.keepsPrivileges { arguments.append("--no-privileges") }
        // pg_dump reads patterns: quoted names are taken as they are.
        arguments += tables.map { "--exclude-table=\($0.quoted)" }
        arguments += ["--exclude-schema=martlet", "--dbname=\(conninfo)"]
        // pg_dump writes into the file that is there, and leaves its mode as it is.
        try PrivateFile.write(Data(), to: file)
        _ = try await programs.run("pg_dump", arguments, secrets)
        // --verbose lists what others need, and all entries, whatever the section.
        var entries = Self.entries(in: try await programs.restore(["--list", "--verbose"], from: file))
        for section in Section.allCases {
            let members = try await programs.restore(["--list", "--section=\(section.rawValue)"], from: file)
            let numbers = Set(Self.entries(in: members).map(\.id))
            for index in entries.indices where numbers.contains(entries[index].id) { entries[index].section = section }
        }
        return SchemaArchive(programs: programs, options: options, file: file, entries: entries)
            .leavingOut(dependents)
    }

    /// Reads a table of contents, as pg_restore lists it with `--verbose`.
    ///
    ///     3391; 1259 16390 INDEX shop orders_pkey owner
    ///     ;       depends on: 215 215
    static func entries(in contents: String) -> [Entry] {
        var entries: [Entry] = []
        for line in contents.split(separator: "\n") {
            if let entry = Entry(line) {
                entries.append(entry)
            } else if let needs = line.firstRange(of: "depends on:"), line.hasPrefix(";"),
                let last = entries.indices.last
            {
                entries[last].needs += line[needs.upperBound...].split(separator: " ").compactMap { Int($0) }
            }
        }
        return entries
    }

    /// Leaves objects out, with their comments, privileges and labels.
    func leavingOut(_ dependents: [Dependent]) -> SchemaArchive {
        leavingOut(Dependent.places(of: dependents))
    }

    /// Leaves objects out by their OIDs in each catalog, with their comments, privileges and labels, and a publication's tables.
    ///
    /// What is in no catalog of its own (OID 0) is about the object that it needs.
    public func leavingOut(_ places: [UInt32: Set<UInt32>]) -> SchemaArchive {
        let gone = entries.filter { places[$0.catalog]?.contains($0.oid) == true }
        let numbers = Set(gone.map(\.id))
        return leavingOut { entry in
            let isPart = entry.oid == 0 || entry.description.begins(with: "PUBLICATION TABLE")
            return numbers.contains(entry.id) || isPart && !numbers.isDisjoint(with: entry.needs)
        }
    }

    /// Whether an entry has no catalog of its own, and is about one of some objects: its comment, its privileges.
    public func isPart(_ entry: Entry, of places: [UInt32: Set<UInt32>]) -> Bool {
        guard entry.oid == 0 else { return false }
        return entries.contains { other in
            entry.needs.contains(other.id) && places[other.catalog]?.contains(other.oid) == true
        }
    }

    /// The entries that must come before one.
    public func needs(of entry: Entry) -> [Entry] {
        let numbers = Set(entry.needs)
        return entries.filter { numbers.contains($0.id) }
    }

    /// Leaves single entries out.
    public func leavingOut(where isLeftOut: (Entry) -> Bool) -> SchemaArchive {
        let rest = entries.filter { !isLeftOut($0) }
        return SchemaArchive(programs: programs, options: options, file: file, entries: rest)
    }

    /// Leaves out privileges on what is not in the archive: objects of the system and of extensions.
    public func leavingOutForeignPrivileges() -> SchemaArchive {
        let numbers = Set(entries.map(\.id))
        return leavingOut { entry in
            entry.kind == .privileges && numbers.isDisjoint(with: entry.needs) && !entry.isOfSchema("public")
        }
    }

    /// Whether an entry is PostgreSQL's own schema `public`, or what is granted or said on it.
    ///
    /// Entries do not quote names: a schema `public x` looks the same, but what is about it needs it.
    public func isOfPublicSchema(_ entry: Entry) -> Bool {
        // It has this OID in every database.
        guard entry.kind != .schema else { return entry.oid == 2200 }
        guard entry.isOfSchema("public") || entry.description.begins(with: "COMMENT - SCHEMA public ") else {
            return false
        }
        return !entries.contains { $0.kind == .schema && $0.oid != 2200 && entry.needs.contains($0.id) }
    }

    /// Some entries of one section, whose statements are written when they are asked for.
    public struct Piece: Sendable {
        private let archive: SchemaArchive
        private let section: Section
        /// What it makes, in the order of restoring.
        public let entries: ArraySlice<Entry>

        fileprivate init(of archive: SchemaArchive, _ section: Section, _ entries: ArraySlice<Entry>) {
            (self.archive, self.section, self.entries) = (archive, section, entries)
        }

        /// The statements, as pg_restore writes them.
        public func script() async throws -> SQL { try await archive.script(section, of: entries) }
    }

    /// The entries of a section that `isIncluded` chooses, in pieces of at most `size`, in their order; at least one piece.
    ///
    /// What is made in one transaction needs locks for all of it.
    public func pieces(
        _ section: Section,
        size: Int = .max,
        where isIncluded: (Entry) -> Bool = { _ in true }
    ) -> [Piece] {
        let entries = entries.filter { $0.section == section && isIncluded($0) }
        guard entries.count > size else { return [Piece(of: self, section, entries[...])] }
        return stride(from: 0, to: entries.count, by: size).map { start in
            Piece(of: self, section, entries[start..<min(start + size, entries.count)])
        }
    }

    private func script(_ section: Section, of chosen: ArraySlice<Entry>) async throws -> SQL {
        let list = file.appendingPathExtension(section.rawValue + ".list")
        try PrivateFile.write(Data(chosen.map(\.line).joined(separator: "\n").utf8), to: list)
        // Not by --section: a comment is in the section of whatever the list has before it (ProcessArchiveRestoreOptions).
        var arguments = ["--use-list=\(list.path)"]
        if !options.keepsOwners { arguments.append("--no-owner") }
        if !options.keepsPrivileges { arguments.append("--no-privileges") }
        if !options.keepsTablespaces { arguments.append("--no-tablespaces") }
        let text = try await programs.restore(arguments, from: file)
        // The names and texts of a source without an encoding are what they are.
        guard !text.unicodeScalars.contains("\u{FFFD}") else {
            throw PostgresError(
                "the definitions of the source hold text that is not UTF-8",
                detail: Self.lineWithoutEncoding(in: text),
                hint: "Give the object a name, or the comment or default a text, in UTF-8, then run the command again."
            )
        }
        return SQL(trusting: Self.withoutClientCommands(text))
    }

    private static func lineWithoutEncoding(in text: String) -> String? {
        text.split(separator: "\n").first { $0.unicodeScalars.contains("\u{FFFD}") }.map { "It is in the line: \($0)" }
    }

    /// The parts of a dump by the time they are needed.
    public enum Section: String, Sendable, CaseIterable {
        /// What tables need before their rows.
        case preData = "pre-data"
        /// What is cheaper or only right after the rows.
        case postData = "post-data"
    }

    /// `\restrict` and `\unrestrict`, which newer minor versions write around a script, are for psql.
    ///
    /// Settings of a newer version that an older target does not know are left out, too.
    ///
    /// They stand before the first object and after the last one; a function's body may hold the same lines.
    static func withoutClientCommands(_ script: String) -> String {
        var lines = script.split(separator: "\n", omittingEmptySubsequences: false)
        let isClosing = { (line: Substring) in line.hasPrefix("\\unrestrict ") }
        // Nothing but empty lines follows it.
        if let last = lines.lastIndex(where: { !$0.isEmpty }), isClosing(lines[last]) { lines.remove(at: last) }
        let start = lines.firstIndex { $0.hasPrefix("-- Name: ") } ?? lines.endIndex
        let head = lines[..<start].filter { line in
            !line.hasPrefix("\\restrict ") && !isClosing(line) && !line.hasPrefix("SET transaction_timeout =")
        }
        return (head + lines[start...]).joined(separator: "\n")
    }
}

extension Installation {
    /// The definitions of a database as statements, without what differs from one run of pg_dump to the next.
    ///
    /// For comparing: two dumps by the same programs are equal when the definitions are.
    ///
    /// - Parameter database: where to look.
    /// - Returns: the statements.
    /// - Throws: what pg_dump complained of.
    public func definitions(of database: ConnectionString) async throws -> String {
        let (conninfo, secrets) = database.forChildProcess
        return SchemaArchive.withoutClientCommands(
            try await run("pg_dump", ["--schema-only", "--dbname=\(conninfo)"], secrets)
        )
    }

    /// What pg_restore writes about an archive: a list or a script, of any length.
    fileprivate func restore(_ arguments: [String], from archive: URL) async throws -> String {
        let output = archive.appendingPathExtension("text")
        try PrivateFile.write(Data(), to: output)
        defer { try? FileManager.default.removeItem(at: output) }
        _ = try await run("pg_restore", arguments + ["--file=\(output.path)", archive.path])
        return String(decoding: try Data(contentsOf: output), as: UTF8.self)
    }

    /// Runs one of the programs and returns what it printed; throws what it complained of.
    ///
    /// `secrets`: environment variables that carry passwords, which must not be on a command line.
    fileprivate func run(
        _ name: String,
        _ arguments: [String],
        _ secrets: [String: String] = [:]
    ) async throws -> String {
        let path = try program(name)
        let environment = additionalEnvironment.merging(secrets) { $1 }
        let outcome = try await Program(path: path, arguments: arguments, environment: environment).run()
        guard outcome.isSuccess else {
            try Task.checkCancellation()
            throw PostgresError(
                "\(name) could not read or write the definitions of the schema",
                detail: outcome.complaint,
                hint: "The program was \(path), version \(version)."
            )
        }
        return outcome.output
    }
}
