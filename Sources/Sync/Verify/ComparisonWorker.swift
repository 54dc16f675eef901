import Engine
import Postgres

/// Compares one table after the other on one session of each side.
struct ComparisonWorker: Sendable {
    let method: RowHash.Method
    let format: ValueFormat
    let queue: WorkQueue<(TablePair, ChangedKeys.Change)>
    let throttle: Throttle
    let progress: @Sendable (Comparison.Progress) -> Void

    func run(_ sides: SideBySide) async throws -> [TableVerdict] {
        var verdicts: [TableVerdict] = []
        while let (pair, change) = queue.next() {
            try await throttle.wait()
            progress(.started(pair.name, bytes: pair.bytes))
            let verdict = try await compare(pair, change, sides)
            progress(.finished(verdict))
            verdicts.append(verdict)
        }
        return verdicts
    }

    private func compare(
        _ pair: TablePair,
        _ change: ChangedKeys.Change,
        _ sides: SideBySide
    ) async throws -> TableVerdict {
        let clock = ContinuousClock()
        let start = clock.now
        var verdict = TableVerdict(
            schema: pair.name.schema,
            name: pair.name.name,
            equal: true,
            sourceRows: 0,
            targetRows: 0,
            seconds: 0,
            differences: Differences(),
            problems: pair.problems
        )
        do {
            _ = try await sides.both(source: { try $0.rememberLocks() }, target: { try $0.rememberLocks() })
            if case .keys(let keys) = change,
                let comparison = KeyComparison(pair, hash: pair.rowHash(method), format: format, sides: sides)
            {
                (verdict.sourceRows, verdict.targetRows, verdict.differences) = try await comparison.compare(keys)
            } else {
                verdict.bytes = pair.bytes
                try await compareWhole(pair, sides, &verdict)
            }
            _ = try await sides.both(source: { try $0.forgetLocks() }, target: { try $0.forgetLocks() })
        } catch let error as PostgresError where error.sqlState != "57014" {
            throw error.explained(as: "could not compare table \"\(pair.name)\"")
        }
        verdict.equal = verdict.equal && verdict.problems.isEmpty && verdict.differences.count == 0
        verdict.seconds = (clock.now - start) / .seconds(1)
        return verdict
    }

    private func compareWhole(_ pair: TablePair, _ sides: SideBySide, _ verdict: inout TableVerdict) async throws {
        guard let source = pair.source, let target = pair.target else { return }
        let hash = pair.rowHash(method)
        let comparison = TableComparison(
            source: TableReading(source, rows: pair.sourceRows, hash: hash, key: pair.key),
            target: TableReading(target, hash: hash, key: pair.key),
            sides: sides
        )
        let totals = try await comparison.totals()
        (verdict.sourceRows, verdict.targetRows) = (totals.source.rows, totals.target.rows)
        guard totals.source != totals.target else { return }
        verdict.equal = false
        verdict.differences = try await comparison.differences(among: max(totals.source.rows, totals.target.rows))
    }
}
