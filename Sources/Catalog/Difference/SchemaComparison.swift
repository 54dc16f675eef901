import Foundation
public import Postgres

/// Compares the definitions of two databases, of whatever versions: everything but rows.
///
/// One question of `SQL/difference_*.sql` after the other is asked on both sides, in one snapshot of each; its rows
/// are objects in the order of their names, which are merged. An object is a JSON object of strings without OIDs, so
/// that equal objects are equal texts; only of those that are not, the properties are looked at one by one.
///
/// Left out are the system's objects, temporary ones, what extensions consist of, and what is martlet's own.
public struct SchemaComparison {
    private let source: Connection
    private let target: Connection
    private var findings: [SchemaFinding] = []
    /// What only one side has; its parts are not told by themselves.
    private var alone: Set<Identifier> = []

    /// How many objects both sides have.
    public private(set) var count = 0

    /// Compares two databases; the sessions must have neutral settings, the encoding UTF8, and no transaction.
    public init(source: Connection, target: Connection) {
        self.source = source
        self.target = target
    }

    /// Compares, and returns what differs, by kind and name.
    ///
    /// Writes nothing. Views are locked as a reader locks them until it ends, and a lock is waited for for half a minute.
    public mutating func run() async throws -> [SchemaFinding] {
        findings = []
        alone = []
        count = 0
        let least = min(source.majorVersion, target.majorVersion)
        let settings: SQL = """
            SET LOCAL lock_timeout = '30s'; SET LOCAL martlet.least_version = \(literal: "\(least * 10000)")
            """
        let begin: SQL = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        var copy = self
        let (source, target) = (source, target)
        try await source.transaction(begin) {
            try source.execute(settings)
            try await target.transaction(begin) {
                try target.execute(settings)
                for question in CatalogSQL.objects { try copy.compare(question, question) }
                try copy.compare(
                    CatalogSQL.members(of: source.majorVersion),
                    CatalogSQL.members(of: target.majorVersion)
                )
                for question in CatalogSQL.facets { try copy.compare(question, question, isFacet: true) }
                try copy.addRemedies()
            }
        }
        self = copy
        return findings
    }

    /// Merges the answers of both sides; of a facet, what one side has nothing of is a difference of its objects.
    private mutating func compare(
        _ sourceQuestion: SQL,
        _ targetQuestion: SQL,
        isFacet: Bool = false
    ) throws(PostgresError) {
        var sources = try CatalogObjects(sourceQuestion, on: source)
        var targets = try CatalogObjects(targetQuestion, on: target)
        var left = try sources.next()
        var right = try targets.next()
        while left != nil || right != nil {
            switch (left, right) {
            case (let one?, let other?) where one.kind == other.kind && one.name.utf8.elementsEqual(other.name.utf8):
                compare(one, other, isFacet: isFacet)
                left = try sources.next()
                right = try targets.next()
            case (let one?, let other):
                if other.map({ one.precedes($0) }) ?? true {
                    note(one, .onlyInSource, isFacet: isFacet)
                    left = try sources.next()
                } else if let other {
                    note(other, .onlyInTarget, isFacet: isFacet)
                    right = try targets.next()
                }
            case (nil, let other?):
                note(other, .onlyInTarget, isFacet: isFacet)
                right = try targets.next()
            case (nil, nil): break
            }
        }
        try sources.close()
        try targets.close()
    }

    private mutating func compare(_ one: CatalogObject, _ other: CatalogObject, isFacet: Bool) {
        if !isFacet { count += 1 }
        guard !one.properties.utf8.elementsEqual(other.properties.utf8), !isPartOfAlone(one), !isPartOfAlone(other)
        else { return }
        let (old, new) = (one.values, other.values)
        for property in Set(old.keys).union(new.keys).sorted() {
            add(one, .different, property.name, old[property], new[property])
        }
    }

    private mutating func note(_ object: CatalogObject, _ presence: SchemaDifference.Presence, isFacet: Bool) {
        guard !alone.contains(object.handle) else { return }
        guard !isPartOfAlone(object) else {
            // It may have parts of its own, as an identity's sequence has an owner.
            alone.insert(object.handle)
            return
        }
        if isFacet {
            let values = object.values
            for property in values.keys.sorted() {
                let isSource = presence == .onlyInSource
                add(
                    object,
                    .different,
                    property.name,
                    isSource ? values[property] : nil,
                    isSource ? nil : values[property]
                )
            }
        } else {
            alone.insert(object.handle)
            let values = object.values
            let definition = values["definition"] ?? values["value"]
            let isSource = presence == .onlyInSource
            add(object, presence, nil, isSource ? definition : nil, isSource ? nil : definition)
        }
    }

    private func isPartOfAlone(_ object: CatalogObject) -> Bool {
        object.parent.map(alone.contains) ?? false
    }

    private mutating func add(
        _ object: CatalogObject,
        _ presence: SchemaDifference.Presence,
        _ property: String?,
        _ old: String?,
        _ new: String?
    ) {
        let versions = (source.majorVersion, target.majorVersion)
        if presence == .different, Rendering.isSame(old, new, of: property, versions: versions) { return }
        let difference = SchemaDifference(
            kind: object.kind,
            name: object.name,
            presence: presence,
            property: property,
            source: old,
            target: new
        )
        findings.append(SchemaFinding(difference: difference, catalog: object.catalog, oid: object.oid))
    }

    /// Says how each difference could be mended, a missing role first.
    private mutating func addRemedies() throws(PostgresError) {
        let rows = try target.query(
            "SELECT quote_ident(rolname) AS role, current_database() AS database FROM pg_roles"
        )
        let roles = Set(try rows.map { row throws(PostgresError) in try row("role", as: String.self) })
        let database = try rows.first?("database", as: String.self) ?? ""
        for place in findings.indices {
            let difference = findings[place].difference
            let statements = Remedy(database: database).statements(difference)
            guard !statements.isEmpty else { continue }
            let missing = difference.roles.filter { !roles.contains($0) }
            findings[place].difference.remedy = missing.map { "CREATE ROLE \($0);" } + statements
        }
    }
}

extension CatalogObject {
    /// Whether it comes first, by the bytes of kind and name.
    fileprivate func precedes(_ other: CatalogObject) -> Bool {
        kind == other.kind
            ? name.utf8.lexicographicallyPrecedes(other.name.utf8)
            : kind.utf8.lexicographicallyPrecedes(other.kind.utf8)
    }

    /// The properties, each by its name, in which there may be a role's.
    fileprivate var values: [Identifier: String] {
        // The server has written it, with strings only.
        let values = try? JSONDecoder().decode([String: String].self, from: Data(properties.utf8))
        return Dictionary(uniqueKeysWithValues: (values ?? [:]).map { (Identifier($0), $1) })
    }
}
