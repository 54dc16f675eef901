import Catalog
import Postgres

extension SideBySide {
    /// Reads both catalogs.
    func catalogs() async throws -> Comparison.Catalogs {
        let schemas = try await both(source: { try Schema($0) }, target: { try Schema($0) })
        return Comparison.Catalogs(source: schemas.source, target: schemas.target)
    }

    /// Lets other sessions see what these two see; what the caller exported needs no second name.
    func exportSnapshots(
        unless given: (source: String?, target: String?)
    ) async throws -> (source: String, target: String) {
        func export(unless given: String?) -> @Sendable (Connection) throws -> String {
            { try given ?? $0.query("SELECT pg_export_snapshot() AS snapshot")[0]("snapshot") }
        }
        return try await both(source: export(unless: given.source), target: export(unless: given.target))
    }

    /// How rows can be hashed so that both servers come to the same number.
    func method(for pairs: [TablePair], isStrict: Bool) async throws -> RowHash.Method {
        let types = pairs.reduce(into: Set<QualifiedName>()) { $0.formUnion($1.types) }
        let test = RowHash.selfTest(of: types)
        let ask: @Sendable (Connection) throws -> [String?] = { connection in
            let encoding: String = try connection.query("SELECT getdatabaseencoding() AS encoding")[0]("encoding")
            let row = try connection.query(test.sql)[0]
            return [encoding] + (0..<row.count).map { row.text($0) }
        }
        let (source, target) = try await both(source: ask, target: ask)
        // The same text has other bytes in another encoding, and hashes otherwise.
        guard source[0...1] == target[0...1] else { return .digest }
        guard !isStrict else { return .text }
        let differing = test.types.indices.filter { source[$0 + 2] != target[$0 + 2] }
        return .functions(exceptTypes: Set(differing.map { test.types[$0] }))
    }

    /// Asks the user's checks of both sides.
    func findings(_ file: CheckFile?) async throws -> [CheckFinding] {
        var findings: [CheckFinding] = []
        for check in file?.checks ?? [] {
            let answers = try await both(source: { try check.ask($0) }, target: { try check.ask($0) })
            findings.append(check.finding(source: answers.source, target: answers.target))
        }
        return findings
    }
}
