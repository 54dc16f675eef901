import Catalog
import Engine
import Foundation
public import Postgres

/// Compares the definitions of two databases with our own eyes, whoever made them: beside a move, after it, without one.
public struct SchemaVerification: Sendable {
    let endpoints: Endpoints

    /// Prepares a comparison; nothing is connected to yet.
    public init(endpoints: Endpoints) {
        self.endpoints = endpoints
    }

    /// Compares, and writes nothing on either server.
    ///
    /// Definitions that change meanwhile can make the server fail inside a question; then all are asked again.
    public func run() async throws -> SchemaVerdict {
        for _ in 0..<3 {
            do {
                return try await compare()
            } catch let error as PostgresError where ["XX000", "42P01", "42704", "42883"].contains(error.sqlState) {
                continue
            }
        }
        return try await compare()
    }

    /// What a mapping makes of definitions is not known to the comparison, which would tell of differences that are none.
    public static let mapped = PostgresError(
        "the definitions of a move with --mapping cannot be compared",
        detail: "Its rules make other names, columns and keys of what the source defines.",
        hint: "martlet verify without --schema compares the rows, and each table's columns, as the rules say."
    )

    private func compare() async throws -> SchemaVerdict {
        let clock = ContinuousClock()
        let start = clock.now
        return try await withNeutralConnection(to: endpoints.source, application: "martlet verify", encoding: "UTF8") {
            source in
            try await withNeutralConnection(to: endpoints.target, application: "martlet verify", encoding: "UTF8") {
                target in
                let expectations = try Expectations(source: source, target: target)
                var comparison = SchemaComparison(source: source, target: target)
                let findings = try await comparison.run()
                let spent = start.duration(to: clock.now).components
                var verdict = SchemaVerdict(
                    equal: true,
                    differences: [],
                    askedFor: [],
                    objects: comparison.count,
                    sourceVersion: source.majorVersion,
                    targetVersion: target.majorVersion,
                    seconds: Double(spent.seconds) + Double(spent.attoseconds) / 1e18
                )
                let database = try target.query("SELECT current_database() AS name").first?("name", as: String.self)
                for finding in findings {
                    verdict.add(finding, expectations.answer(to: finding), database: database ?? "")
                }
                verdict.sort()
                return verdict
            }
        }
    }
}

extension SchemaVerdict {
    fileprivate mutating func add(_ finding: SchemaFinding, _ answer: Expectations.Answer, database: String) {
        var difference = finding.difference
        switch answer {
        case .nothing: break
        case .askedFor(let reason):
            difference.remedy = []
            if let place = askedFor.firstIndex(where: { $0.reason == reason }) {
                askedFor[place].differences.append(difference)
            } else {
                askedFor.append(AskedFor(reason: reason, differences: [difference]))
            }
        case .difference:
            if let setting = DatabaseSetting(difference) { difference.remedy = [setting.command(for: database)] }
            differences.append(difference)
            equal = false
        }
    }

    /// Brings what is said of one object together.
    fileprivate mutating func sort() {
        func key(_ difference: SchemaDifference) -> (String, String, String) {
            (difference.kind, difference.name, difference.property ?? "")
        }
        differences.sort { key($0) < key($1) }
    }
}

extension DatabaseSetting {
    /// The setting of the source that a difference tells of; nil when it tells of something else.
    fileprivate init?(_ difference: SchemaDifference) {
        guard difference.kind == "database setting", let value = difference.source else { return nil }
        let parts = difference.name.split(separator: " for role ", maxSplits: 1).map(String.init)
        var role = parts.count > 1 ? parts[1] : nil
        if let quoted = role, quoted.hasPrefix("\""), quoted.hasSuffix("\"") {
            role = String(quoted.dropFirst().dropLast()).replacing("\"\"", with: "\"")
        }
        self.init(role: role, name: parts[0], value: value)
    }
}
