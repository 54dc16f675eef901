import Testing

@testable import Sync

struct VerdictTextTests {
    private static func verdict(tables: [Bool], checks: [Bool]) -> Verdict {
        Verdict(
            equal: (tables + checks).allSatisfy { $0 },
            lsn: nil,
            method: .hash,
            typesByText: [],
            tables: tables.enumerated().map { number, equal in
                var verdict = TableVerdict(
                    schema: "public",
                    name: "My Table \(number)",
                    equal: equal,
                    sourceRows: 1200,
                    targetRows: 1199,
                    bytes: nil,
                    seconds: 0,
                    differences: Differences(),
                    problems: []
                )
                if !equal { verdict.differences.onlyInSource = 1 }
                return verdict
            },
            checks: checks.map {
                CheckFinding(name: "sum", equal: $0, sourceRows: 1, targetRows: 1, differences: [], errors: [])
            },
            seconds: 1
        )
    }

    @Test(
        arguments: [
            ([true], [], "equal: 1 table, 1,200 rows in 1.0 s"),
            ([false, false], [false], "2 tables and 1 check differ: 2 tables, 2,400 rows, 1 check in 1.0 s"),
            ([true, true], [false, true], "1 check differs: 2 tables, 2,400 rows, 2 checks in 1.0 s"),
            ([true, false], [], "1 table differs: 2 tables, 2,400 rows in 1.0 s"),
        ] as [([Bool], [Bool], String)]
    )
    func `the last line says what differs`(tables: [Bool], checks: [Bool], line: String) {
        #expect(Self.verdict(tables: tables, checks: checks).lines.last == line)
    }

    @Test func `keys are listed in the order of their values`() {
        var differences = Differences()
        for id in ["10", "9", "b", "-1", "a"] { differences.add(.different, key: ["id": id]) }
        differences.sortKeys()
        #expect(differences.keys.map { $0.key["id"] } == ["-1", "9", "10", "a", "b"])
    }

    @Test func `names are quoted once, and numbers have their thousands apart`() {
        let lines = Self.verdict(tables: [false], checks: []).lines
        #expect(
            lines.first?.hasPrefix(#"table "public.My Table 0": 1,200 rows on the source, 1,199 on the target: 1"#)
                == true
        )
    }
}
